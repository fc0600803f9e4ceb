/* SPDX-License-Identifier: MIT */
/*
 * The command `race`: one cell, one race under every lifetime, or all against the expectations.
 *
 * A skip because the machine lacks a device or a CPU is what everybody would expect of that
 * machine: `race all` names it and does not count it as a surprise. Any other skip is one: a race
 * that showed nothing.
 */
#include <ctype.h>
#include <stdarg.h>

#include "drivers/show/show.h"
#include "tests/kernel/race/internal.h"

extern const struct race __start_hf_races[], __stop_hf_races[];
extern const struct race_exhibit __start_hf_exhibits[], __stop_hf_exhibits[];

static struct mutex one_at_a_time = MUTEX_INIT("race");

void race_set(struct race_result *r, enum race_verdict v, const char *fmt, ...)
{
	va_list ap;

	r->verdict = v;
	r->absent = false;
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

void race_absent(struct race_result *r, const char *fmt, ...)
{
	va_list ap;

	r->verdict = RACE_SKIP;
	r->absent = true;
	r->err = -ENODEV;
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

void race_refused(struct race_result *r, int err)
{
	race_absent(r, "%s", refusal());
	r->err = err;
}

void race_say(const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kprintf("  %s\n", text);
	show_step("race", text);
}

/* As a person sorts: C-5 before C-5-undo before C-10, and capitals first. */
static int compare_names(const char *a, const char *b)
{
	while (*a && *a == *b && !isdigit((unsigned char)*a)) {
		a++;
		b++;
	}
	if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
		char *ea, *eb;
		unsigned long na = strtoul(a, &ea, 10), nb = strtoul(b, &eb, 10);

		return na == nb ? compare_names(ea, eb) : na < nb ? -1 : 1;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

/* The race that follows `after` in that order (NULL: the first one); NULL: none. */
static const struct race *next_race(const struct race *after)
{
	const struct race *next = NULL;

	for (const struct race *r = __start_hf_races; r < __stop_hf_races; r++)
		if ((!after || compare_names(r->name, after->name) > 0) &&
		    (!next || compare_names(r->name, next->name) < 0))
			next = r;
	return next;
}

const struct race *race_find(const char *name)
{
	for (const struct race *r = __start_hf_races; r < __stop_hf_races; r++)
		if (!strcmp(r->name, name))
			return r;
	return NULL;
}

static struct race_result play(const struct race *race, const struct lifetime *lt)
{
	struct race_result r = {.verdict = RACE_SKIP};

	mutex_lock(&one_at_a_time);
	if (race->play)
		script_perform(race, lt, &r);
	else
		race->run(lt, &r);
	mutex_unlock(&one_at_a_time);
	return r;
}

/* "BROKEN I1 text" and the like. */
static void describe(const struct race_result *r, char *buf, unsigned n)
{
	if (r->verdict == RACE_SAFE)
		snprintf(buf, n, "safe");
	else if (r->verdict == RACE_HUNG)
		snprintf(buf, n, "HUNG I4 %s", r->text);
	else if (r->verdict == RACE_SKIP)
		snprintf(buf, n, "skip %s", r->text);
	else
		snprintf(buf, n, "BROKEN I%d %s", r->verdict - RACE_SAFE, r->text);
}

struct race_result race_run(const struct race *race, const struct lifetime *lt, const char *era)
{
	struct race_result r;
	char text[240];

	watch_touch();
	r = play(race, lt);
	describe(&r, text, sizeof(text));
	kprintf("race %s lifetime=%s%s%s: %s\n", race->name, lt->name, era ? " era=" : "",
		era ? era : "", text);
	show_step(lt->name, text);
	return r;
}

/* ---- race all ------------------------------------------------------------------------------- */

struct tally {
	const struct lifetime *only; /* NULL: every one */
	unsigned cells, exhibits, eras, measured, skipped, unexpected;
	unsigned begun, races; /* of the rows of the table */
};

/* The verdict that the table has for this cell; RACE_SKIP: it has none, which nothing fits. */
static enum race_verdict expectation(const struct race *race, const struct lifetime *lt)
{
	for (const struct race_expectation *e = race->expect; e->lifetime; e++)
		if (!strcmp(e->lifetime, lt->name))
			return e->verdict;
	return RACE_SKIP;
}

static void enter(struct tally *t, const struct race *race, const struct race_result *r,
		  enum race_verdict want)
{
	static const char *const words[] = {"safe",	 "BROKEN I1", "BROKEN I2", "BROKEN I3",
					    "BROKEN I4", "BROKEN I5", "BROKEN I6", "BROKEN I7",
					    "HUNG",	 "no entry"};

	if (r->verdict == RACE_SKIP && r->absent) {
		t->skipped++;
	} else if (r->verdict == RACE_SKIP || r->verdict != want) {
		t->unexpected++;
		race_say("UNEXPECTED: the table says for %s: %s", race->name, words[want]);
	}
}

static const struct lifetime *known_lifetime(const char *name)
{
	const struct lifetime *lt;

	for (unsigned n = 0; (lt = lifetime_nth(n)); n++)
		if (!strcmp(lt->name, name))
			return lt;
	return NULL;
}

/* One rule switched off. Indented: these lines are no cells of the table. */
static void run_exhibit(const struct race_exhibit *x, struct tally *t)
{
	const struct race *race = race_find(x->race);
	const struct lifetime *lt = known_lifetime(x->lifetime);
	struct museum *m = museum_find(x->museum);
	struct race_result r = {.verdict = RACE_SKIP};
	char text[240];

	t->exhibits++;
	if (!race || !lt || !m) {
		snprintf(r.text, sizeof(r.text), "there is no such %s",
			 !race ? "race"
			 : !lt ? "lifetime"
			       : "museum switch");
	} else {
		bool was = m->on;

		m->on = true;
		r = play(race, lt);
		m->on = was;
	}
	describe(&r, text, sizeof(text));
	race_say("race %s lifetime=%s museum=%s: %s", x->race, x->lifetime, x->museum, text);
	if (race)
		enter(t, race, &r, x->verdict);
	else
		t->unexpected++;
}

/* A later era of a design. Indented, too: the table's cells are the designs' own. */
static void run_era(const struct race_era *e, struct tally *t)
{
	const struct lifetime *lt = lifetime_era(e->lifetime, e->era);
	const struct race *race = race_find(e->race);
	struct race_result r;
	char text[240];

	ASSERT(lt && race, "the table of eras names race %s, era %s of %s: one of them is unknown",
	       e->race, e->era, e->lifetime);
	r = play(race, lt);
	describe(&r, text, sizeof(text));
	race_say("race %s lifetime=%s era=%s: %s", e->race, e->lifetime, e->era, text);
	t->eras++;
	t->measured += lt->measured != NULL;
	enter(t, race, &r, e->verdict);
}

static bool wanted(const struct tally *t, const char *lifetime)
{
	return !t->only || !strcmp(t->only->name, lifetime);
}

static void run_race(const struct race *race, struct tally *t)
{
	const struct lifetime *lt;

	race_say("race %u of %u: %s", ++t->begun, t->races, race->name);
	for (unsigned n = 0; (lt = lifetime_nth(n)) && !batch_stopped(); n++) {
		struct race_result r;

		if (!wanted(t, lt->name))
			continue;
		r = race_run(race, lt, NULL);
		enter(t, race, &r, expectation(race, lt));
		t->cells++;
	}
}

static int run_all(const struct lifetime *only)
{
	const struct race_era *e;
	struct tally t = {.only = only};
	struct pmem_region *device;
	int err = scratch_choose(&device);

	/* A machine that lacks it skips by name; one whose device is in use, or somebody's, ran
	 * nothing and has shown nothing. */
	if (err == -EBUSY || err == -EPERM)
		return shell_fail(err, "%s", refusal());

	for (const struct race *r = next_race(NULL); r; r = next_race(r))
		t.races++;
	for (const struct race *r = next_race(NULL); r && !batch_stopped(); r = next_race(r))
		run_race(r, &t);
	for (const struct race_exhibit *x = __start_hf_exhibits;
	     x < __stop_hf_exhibits && !batch_stopped(); x++)
		if (wanted(&t, x->lifetime))
			run_exhibit(x, &t);
	for (unsigned n = 0; (e = race_era_nth(n)) && !batch_stopped(); n++)
		if (wanted(&t, e->lifetime))
			run_era(e, &t);
	if (batch_stopped()) { /* the closing line would say more than was run */
		race_say("interrupted after %u cells, %u unexpected", t.cells, t.unexpected);
		return -EINTR;
	}
	race_say("%u cell(s) of later eras, %u of them of an era that was measured on Linux",
		 t.eras, t.measured);
	race_say("%u time(s) with a rule switched off; %u skipped for want of a device or a CPU",
		 t.exhibits, t.skipped);
	kprintf("race all: %u cells, %u unexpected\n", t.cells, t.unexpected);
	return t.unexpected ? -EIO : 0;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int status_of(const struct race_result *r)
{
	return r->verdict == RACE_SAFE ? 0 : r->absent ? r->err : -EIO;
}

static int run_lifetimes(const struct race *race)
{
	const struct lifetime *lt;
	int err = 0;

	for (unsigned n = 0; (lt = lifetime_nth(n)) && !batch_stopped(); n++) {
		struct race_result r = race_run(race, lt, NULL);

		err = err ? err : status_of(&r);
	}
	return err;
}

static int list_races(void)
{
	for (const struct race *r = next_race(NULL); r; r = next_race(r))
		kprintf("%-14s %s\n", r->name, r->what);
	return 0;
}

static int unknown_race(const char *word)
{
	const char *names[96] = {"all"};
	unsigned n = 1;

	for (const struct race *r = next_race(NULL); r && n < 96; r = next_race(r))
		names[n++] = r->name;
	return shell_unknown("race", word, names, n);
}

/* What stands behind the race's name. */
struct cell_words {
	const struct lifetime *named; /* NULL: not named */
	const char *era;	      /* NULL: not asked for */
	bool all;
};

static int parse_word(const char *word, struct cell_words *w)
{
	if (!strcmp(word, "lifetime=all")) {
		w->all = true;
		return 0;
	}
	if (!strncmp(word, "lifetime=", 9))
		return dax_parse_lifetime(word + 9, &w->named);
	if (!strncmp(word, "era=", 4)) {
		w->era = word + 4;
		return 0;
	}
	return dax_unknown_option(word, "lifetime=L, lifetime=all and era=E");
}

static int run_cell(const struct race *race, const struct cell_words *w)
{
	const struct lifetime *lt = w->named ? w->named : LIFETIME_DEFAULT;
	struct race_result r;
	int err = 0;

	if (w->all && (w->era || w->named))
		return shell_fail(-EINVAL, "lifetime=all runs the first era of each design: leave "
					   "out the other word");
	if (w->all)
		return run_lifetimes(race);
	if (w->era)
		err = dax_parse_era(w->era, w->named, &lt);
	if (err)
		return err;
	r = race_run(race, lt, w->era);
	return status_of(&r);
}

static int cmd_race(int argc, char **argv)
{
	struct cell_words words = {0};
	const struct race *race;
	int err;

	if (argc == 1)
		return list_races();
	if (argc > 4)
		return shell_usage();
	for (int i = 2; i < argc; i++) {
		err = parse_word(argv[i], &words);
		if (err)
			return err;
	}
	if (!strcmp(argv[1], "all"))
		return !words.era ? run_all(words.named)
				  : shell_fail(-EINVAL, "'race all' runs the eras by itself: leave "
							"out the other word");
	race = race_find(argv[1]);
	return race ? run_cell(race, &words) : unknown_race(argv[1]);
}

static void offer_races(struct shell_offers *o)
{
	for (const struct race *r = __start_hf_races; r < __stop_hf_races; r++)
		shell_offer(o, r->name);
}
SHELL_KIND(race, "NAME", "race", offer_races);
SHELL_COMMAND(
	race, cmd_race, "race [NAME|all] [lifetime=L|lifetime=all] [era=E]",
	"make a race between a device and the file layer happen, and say how it ended\n"
	"Runs with a fresh file system on the scratch device: a DIMM given as scratch (the\n"
	"default pmem1; PMEM=\"FILE,scratch\"), or a pmem1 without known contents. Alone: lists\n"
	"the races. A-1 to L-7 are the weaknesses of docs/weaknesses.md, by the design that has\n"
	"them: A unaware, B lease-poll, C idle-at-one, D zap-to-zero, E counted-map, G "
	"refuse-busy;\n"
	"F: the hazards that busy-extent has rules against; L: those of MAP_DIRECT. dma-* and the\n"
	"other words are plain cases. Status 0 only for 'safe'; 'race all' compares every cell\n"
	"with what its lifetime is known to do, and runs the cells that show a rule once more "
	"with\n"
	"the rule switched off (museum); with lifetime=L, those of that lifetime alone.\n"
	"era=E: as in those years of Linux ('lifetime NAME' lists the eras); 'race all' runs each\n"
	"cell of a later era that was measured on Linux, or that differs.",
	true);
SHELL_GROUP(tests, 80, "tests/", "experiments and tests");
