/* SPDX-License-Identifier: MIT */
/* The command `race`: one cell, one race under every lifetime, or all against the expectations. */
#include <stdarg.h>

#include "tests/kernel/race.h"

extern const struct race __start_hf_races[], __stop_hf_races[];

static struct mutex one_at_a_time = MUTEX_INIT("race");

void race_set(struct race_result *r, enum race_verdict v, const char *fmt, ...)
{
	va_list ap;

	r->verdict = v;
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

void race_say(const char *fmt, ...)
{
	char text[240];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kprintf("  %s\n", text);
}

const struct race *race_find(const char *name)
{
	for (const struct race *r = __start_hf_races; r < __stop_hf_races; r++)
		if (!strcmp(r->name, name))
			return r;
	return NULL;
}

enum race_verdict race_run(const struct race *race, const struct lifetime *lt)
{
	static const char *const word[] = {"safe", "BROKEN I1 ", "HUNG I4 ", "skip "};
	struct race_result r = {.verdict = RACE_SKIP};

	mutex_lock(&one_at_a_time);
	race->run(lt, &r);
	mutex_unlock(&one_at_a_time);
	kprintf("race %s lifetime=%s: %s%s\n", race->name, lt->name, word[r.verdict], r.text);
	return r.verdict;
}

/* True: as the table says. A skip is never expected: it shows nothing. */
static bool expected(const struct race *race, const struct lifetime *lt, enum race_verdict v)
{
	for (const struct race_expectation *e = race->expect; e->lifetime; e++)
		if (!strcmp(e->lifetime, lt->name))
			return e->verdict == v;
	return false;
}

static int run_all(void)
{
	unsigned cells = 0, unexpected = 0;
	const struct lifetime *lt;

	for (const struct race *r = __start_hf_races; r < __stop_hf_races; r++)
		for (unsigned n = 0; (lt = lifetime_nth(n)); n++, cells++)
			unexpected += !expected(r, lt, race_run(r, lt));
	kprintf("race all: %u cells, %u unexpected\n", cells, unexpected);
	return unexpected ? -EIO : 0;
}

static int run_lifetimes(const struct race *race)
{
	const struct lifetime *lt;
	int err = 0;

	for (unsigned n = 0; (lt = lifetime_nth(n)); n++)
		if (race_run(race, lt) != RACE_SAFE)
			err = -EIO;
	return err;
}

static int list_races(void)
{
	for (const struct race *r = __start_hf_races; r < __stop_hf_races; r++)
		kprintf("%-14s %s\n", r->name, r->what);
	return 0;
}

static int unknown_race(const char *word)
{
	const char *names[32] = {"all"};
	unsigned n = 1;

	for (const struct race *r = __start_hf_races; r < __stop_hf_races && n < 32; r++)
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
		return shell_fail(-EINVAL, "unknown option '%s': did you mean 'lifetime=%s'?",
				  argv[2], argv[2]);
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
	return race_run(race, lt) == RACE_SAFE ? 0 : -EIO;
}

static const char *complete_race(int argno, unsigned n)
{
	if (argno != 1)
		return NULL;
	if (n == 0)
		return "all";
	return __start_hf_races + n - 1 < __stop_hf_races ? __start_hf_races[n - 1].name : NULL;
}
SHELL_COMMAND(race, cmd_race, "race [NAME|all] [lifetime=L|lifetime=all]",
	      "make a race between a device and the file layer happen, and say how it ended\n"
	      "Runs on pmem1, with a fresh file system. Status 0 only for 'safe'; 'race all' "
	      "compares every\n"
	      "cell with what its lifetime is known to do.",
	      complete_race);
