/* SPDX-License-Identifier: MIT */
/* What a usage line allows at the next word. */
/* LINK: kernel/shell/shell_usage.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/shell/internal.h"

static char offered[2000];

static void collect(void *arg, const struct shell_usage_word *w)
{
	size_t at = strlen(offered);

	(void)arg;
	snprintf(offered + at, sizeof(offered) - at, "%s%.*s%s%.*s%s", at ? " " : "",
		 (int)w->key_len, w->key_len ? w->key : "", w->kind ? "<" : "", (int)w->len,
		 w->text, w->kind ? ">" : "");
}

/* The words typed so far, separated by blanks. */
static const char *next(const char *usage, const char *typed)
{
	const char *argv[32];
	char words[200];
	int argc = 0;

	snprintf(words, sizeof(words), "%s", typed);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	offered[0] = '\0';
	shell_usage_next(usage, argc, argv, collect, NULL);
	return offered;
}

static void words_in_a_row(void **state)
{
	static const char usage[] = "exchange FILE1 OFF1 FILE2 OFF2 LEN";

	(void)state;
	assert_string_equal(next(usage, ""), "exchange");
	assert_string_equal(next(usage, "exchange"), "<FILE>");
	assert_string_equal(next(usage, "exchange /t/f"), "<OFF>");
	assert_string_equal(next(usage, "exchange /t/f 0"), "<FILE>");
	assert_string_equal(next(usage, "exchange /t/f 0 /t/g 0 4K"), "");
	assert_string_equal(next(usage, "other"), "");
	assert_string_equal(next("huge", "huge"), "");
}

static void one_of_several_words(void **state)
{
	static const char usage[] = "dma [PIN|MAPPING[+OFF] in|out [TEXT] [edu=N] [times=K]]";

	(void)state;
	assert_string_equal(next(usage, "dma"), "<PIN> <MAPPING>");
	assert_string_equal(next(usage, "dma m1+4K"), "in out");
	assert_string_equal(next(usage, "dma p1 in"), "<TEXT> edu=<N> times=<K>");
	assert_string_equal(next(usage, "dma p1 in x"), "edu=<N> times=<K>");
	assert_string_equal(next("kill %JOB|TID", "kill"), "%<JOB> <TID>");
	assert_string_equal(next("wait [%JOB]", "wait"), "%<JOB>");
	assert_string_equal(next("powercut [after=N]", "powercut"), "after=<N>");
}

static void options_in_any_order(void **state)
{
	static const char usage[] = "mount [DEV PATH [lifetime=L] [era=E] [longterm=refuse|allow] "
				    "[entries=pfns|sectors]]";
	static const char all[] =
		"lifetime=<L> era=<E> longterm=refuse longterm=allow entries=pfns "
		"entries=sectors";

	(void)state;
	assert_string_equal(next(usage, "mount pmem0"), "<PATH>");
	assert_string_equal(next(usage, "mount pmem0 /t"), all);
	assert_string_equal(next(usage, "mount pmem0 /t entries=pfns"), all);
	assert_string_equal(next(usage, "mount pmem0 /t era=6.1 longterm=allow"), all);
	assert_string_equal(next(usage, "mount pmem0 /t -o"), "");
	assert_string_equal(next("race [NAME|all] [lifetime=L|lifetime=all] [era=E]", "race A-1"),
			    "lifetime=<L> lifetime=all era=<E>");
	assert_string_equal(next("devdax REGION [align=4K|2M|1G] [ro]", "devdax pmem0"),
			    "align=4K align=2M align=1G ro");
}

static void rows_of_words(void **state)
{
	static const char map[] = "map [FILE [OFF [LEN]] [ro] [private] | anon LEN [ro]]";
	static const char pmem[] = "pmem [REGION] | pmem unbind REGION [wait] | pmem kill|revive "
				   "REGION";

	(void)state;
	assert_string_equal(next(map, "map"), "<FILE> anon");
	assert_string_equal(next(map, "map anon"), "<LEN>");
	assert_string_equal(next(map, "map anon 4K"), "ro");
	assert_string_equal(next(map, "map /t/f"), "<OFF> ro private");
	assert_string_equal(next(map, "map /t/f private"), "ro private");
	assert_string_equal(next(pmem, "pmem"), "<REGION> unbind kill revive");
	assert_string_equal(next(pmem, "pmem unbind pmem0"), "wait");
	assert_string_equal(next(pmem, "pmem revive"), "<REGION>");
	assert_string_equal(next("museum [NAME [on|off] | all off]", "museum all"), "off");
	assert_string_equal(next("museum [NAME [on|off] | all off]", "museum x"), "on off");
}

static void once_more(void **state)
{
	(void)state;
	assert_string_equal(next("help [COMMAND ...]", "help a b c"), "<COMMAND>");
	assert_string_equal(next("selftest [-l [-v]] [PATTERN ...]", "selftest"), "-l <PATTERN>");
	assert_string_equal(next("selftest [-l [-v]] [PATTERN ...]", "selftest -l"),
			    "-v <PATTERN>");
	assert_string_equal(next("selftest [-l [-v]] [PATTERN ...]", "selftest a"), "<PATTERN>");
}

/* Usage lines come from the source, but a slip in one must not bring the prompt down. */
static void an_option_twice(void **state)
{
	static const char usage[] = "import BUF [deaf] [edu=N] | ping pid|deaf pong=K|pang=K";
	static const struct {
		const char *words[5];
		int at;
	} lines[] = {
		{{"b1", "edu=0", "deaf", "deaf"}, 4},  {{"b1", "edu=0", "edu=1", "deaf"}, 3},
		{{"b1", "deaf", "edu=", "edu=1"}, 4},  {{"b1", "edu=0", "deaf", "eduard"}, 0},
		{{"deaf", "", "", "edu=0"}, 0},	       {{"pid", "pid", "=", "="}, 0},
		{{"pong=1", "b1", "b1", "pong=1"}, 4}, {{"pang=1", "pong=1", "ed", "u=0"}, 0},
		{{"x=1", "x=1", "x", "u=0"}, 0},       {{"edu=", "b1", "b1", "edu="}, 4},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *argv[5] = {"import"};

		memcpy(argv + 1, lines[i].words, 4 * sizeof(argv[0]));
		assert_int_equal(shell_usage_repeated(usage, 5, argv), lines[i].at);
	}
	assert_int_equal(shell_usage_repeated("", 0, NULL), 0);
	assert_int_equal(shell_usage_repeated("huge", 3, (const char *[]){"huge", "a", "a"}), 0);
}

static void random_usages_are_harmless(void **state)
{
	static const char *const argv[] = {"a", "B=1", "%2", "a", "a", "x", "a", "a"};

	(void)state;
	srand(11);
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)rand() % 200;
		char *usage = malloc(len + 1);

		for (size_t i = 0; i < len; i++)
			usage[i] = "aAB1 [] |.=%"[rand() % 12];
		usage[len] = '\0';
		for (int argc = 0; argc <= 8; argc += 4) {
			offered[0] = '\0';
			shell_usage_next(usage, argc, argv, collect, NULL);
		}
		free(usage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_in_a_row),
		cmocka_unit_test(one_of_several_words),
		cmocka_unit_test(options_in_any_order),
		cmocka_unit_test(rows_of_words),
		cmocka_unit_test(once_more),
		cmocka_unit_test(an_option_twice),
		cmocka_unit_test(random_usages_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
