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

#include "tests/kernel/script.h"

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
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

void race_say(const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kprintf("  %s\n", text);
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

struct race_result race_run(const struct race *race, const struct lifetime *lt)
{
	struct race_result r = play(race, lt);
	char text[240];

	describe(&r, text, sizeof(text));
	kprintf("race %s lifetime=%s: %s\n", race->name, lt->name, text);
	return r;
}

/* ---- race all ------------------------------------------------------------------------------- */

struct tally {
	unsigned cells, exhibits, skipped, unexpected;
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

static void run_race(const struct race *race, struct tally *t)
{
	const struct lifetime *lt;

	for (unsigned n = 0; (lt = lifetime_nth(n)) && !batch_stopped(); n++, t->cells++) {
		struct race_result r = race_run(race, lt);

		enter(t, race, &r, expectation(race, lt));
	}
}

static int run_all(void)
{
	struct tally t = {0};

	for (const struct race *r = next_race(NULL); r && !batch_stopped(); r = next_race(r))
		run_race(r, &t);
	for (const struct race_exhibit *x = __start_hf_exhibits;
	     x < __stop_hf_exhibits && !batch_stopped(); x++)
		run_exhibit(x, &t);
	if (batch_stopped()) { /* the closing line would say more than was run */
		race_say("interrupted after %u cells, %u unexpected", t.cells, t.unexpected);
		return -EINTR;
	}
	race_say("%u time(s) with a rule switched off; %u skipped for want of a device or a CPU",
		 t.exhibits, t.skipped);
	kprintf("race all: %u cells, %u unexpected\n", t.cells, t.unexpected);
	return t.unexpected ? -EIO : 0;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int run_lifetimes(const struct race *race)
{
	const struct lifetime *lt;
	int err = 0;

	for (unsigned n = 0; (lt = lifetime_nth(n)) && !batch_stopped(); n++)
		if (race_run(race, lt).verdict != RACE_SAFE)
			err = -EIO;
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

static int cmd_race(int argc, char **argv)
{
	const struct lifetime *lt = LIFETIME_DEFAULT;
	const struct race *race;
	int err;

	if (argc == 1)
		return list_races();
	if (argc > 3)
		return shell_usage();
	if (argc == 3 && strncmp(argv[2], "lifetime=", 9))
		return dax_unknown_option(argv[2], "lifetime=L and lifetime=all");
	if (!strcmp(argv[1], "all"))
		return argc == 2 ? run_all()
				 : shell_fail(-EINVAL, "'race all' runs every lifetime by itself");
	race = race_find(argv[1]);
	if (!race)
		return unknown_race(argv[1]);
	if (argc == 3 && !strcmp(argv[2], "lifetime=all"))
		return run_lifetimes(race);
	if (argc == 3) {
		err = dax_parse_lifetime(argv[2] + 9, &lt);
		if (err)
			return err;
	}
	return race_run(race, lt).verdict == RACE_SAFE ? 0 : -EIO;
}

static const char *complete_race(int argno, unsigned n)
{
	if (argno != 1)
		return NULL;
	if (n == 0)
		return "all";
	return __start_hf_races + n - 1 < __stop_hf_races ? __start_hf_races[n - 1].name : NULL;
}
SHELL_COMMAND(
	race, cmd_race, "race [NAME|all] [lifetime=L|lifetime=all]",
	"make a race between a device and the file layer happen, and say how it ended\n"
	"Runs on pmem1, with a fresh file system; alone: lists the races. A-1 ... F-16 are the\n"
	"weaknesses of docs/weaknesses.md, by the design that has them: A unaware, B lease-poll,\n"
	"C idle-at-one, D zap-to-zero, E counted-map; F: the hazards that busy-extent has rules\n"
	"against. dma-* and the other words are plain cases. Status 0 only for 'safe'; 'race all' "
	"compares every cell with what "
	"its lifetime is\n"
	"known to do, and runs the cells that show a rule once more with the rule switched "
	"off (museum).",
	complete_race, true);
