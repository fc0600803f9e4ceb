/* SPDX-License-Identifier: MIT */
/* Numbers, the nearest word, patterns, errno names, and the lines of KTAP. */
/* LINK: kernel/shell/shell_number.c kernel/shell/shell_nearest.c */
/* LINK: kernel/shell/glob.c kernel/console/errname.c kernel/selftest/ktap.c */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/selftest/internal.h"
#include "kernel/shell/shell.h"
#include "kernel/shell/internal.h"

static char why[200];

static void number_is(const char *text, uint64_t expected)
{
	uint64_t v = ~expected;

	assert_int_equal(number_parse("SIZE", text, &v, why, sizeof(why)), 0);
	assert_true(v == expected);
}

static void number_fails(const char *text, const char *part)
{
	uint64_t v = 77;

	assert_int_equal(number_parse("SIZE", text, &v, why, sizeof(why)), -EINVAL);
	assert_int_equal(v, 77);
	assert_non_null(strstr(why, part));
	assert_memory_equal(why, "SIZE ", 5);
}

static void numbers_in_every_spelling(void **state)
{
	(void)state;
	number_is("0", 0);
	number_is("4096", 4096);
	number_is("0010", 10);
	number_is("0x1000", 4096);
	number_is("0XfF", 255);
	number_is("4K", 4096);
	number_is("4k", 4096);
	number_is("0x10M", 16ull << 20);
	number_is("3g", 3ull << 30);
	number_is("2T", 2ull << 40);
	number_is("18446744073709551615", UINT64_MAX);
	number_is("0xffffffffffffffff", UINT64_MAX);
	number_is("16777215T", 16777215ull << 40);
}

static void refused_numbers_get_a_sentence(void **state)
{
	(void)state;
	number_fails("", "is empty");
	number_fails("-1", "'-1' is negative");
	number_fails("-", "'-' is not a number");
	number_fails("-x", "'-x' is not a number");
	number_fails("0x", "is not a number");
	number_fails("K", "is not a number");
	number_fails("12X", "is not a number");
	number_fails("1KB", "is not a number");
	number_fails("1 ", "is not a number");
	number_fails("+1", "is not a number");
	number_fails("18446744073709551616", "does not fit in 64 bits");
	number_fails("99999999999999999999999999", "does not fit in 64 bits");
	number_fails("0x10000000000000000", "does not fit in 64 bits");
	number_fails("16777216T", "does not fit in 64 bits");
}

static void a_printed_number_is_read_back(void **state)
{
	char text[40];

	(void)state;
	srand(3);
	for (int i = 0; i < 2000; i++) {
		uint64_t v = ((uint64_t)rand() << 33) ^ ((uint64_t)rand() << 7) ^ (uint64_t)rand();

		v >>= rand() % 64;
		snprintf(text, sizeof(text), i % 2 ? "%llu" : "0x%llx", (unsigned long long)v);
		number_is(text, v);
	}
}

static void distance_counts_edits(void **state)
{
	(void)state;
	assert_int_equal(edit_distance("", "", false), 0);
	assert_int_equal(edit_distance("", "abc", false), 3);
	assert_int_equal(edit_distance("abc", "", false), 3);
	assert_int_equal(edit_distance("kitten", "sitting", false), 3);
	assert_int_equal(edit_distance("MOUNT", "mount", false), 0);
	assert_int_equal(edit_distance("muont", "mount", false), 1);
	assert_int_equal(edit_distance("truncat", "truncate", false), 1);
}

static void distance_is_symmetric_and_bounded(void **state)
{
	(void)state;
	srand(11);
	for (int i = 0; i < 2000; i++) {
		char a[12] = "", b[12] = "";
		unsigned d, la = (unsigned)rand() % 11, lb = (unsigned)rand() % 11;

		for (unsigned j = 0; j < la; j++)
			a[j] = (char)('a' + rand() % 3);
		for (unsigned j = 0; j < lb; j++)
			b[j] = (char)('a' + rand() % 3);
		d = edit_distance(a, b, false);
		assert_int_equal(d, edit_distance(b, a, false));
		assert_true(d <= (la > lb ? la : lb));
		assert_true(d >= (la > lb ? la - lb : lb - la));
		assert_int_equal(d == 0, !strcmp(a, b));
	}
}

static void a_pattern_is_near_what_it_almost_matches(void **state)
{
	(void)state;
	assert_int_equal(edit_distance("rwsem.*", "rwsem.writer-waits", true), 0);
	assert_int_equal(edit_distance("rwsm.*", "rwsem.writer-waits", true), 1);
	assert_int_equal(edit_distance("*.write?-waits", "rwsem.writer-waits", true), 0);
	assert_true(edit_distance("gup.*", "rwsem.writer-waits", true) > 2);
}

static void very_long_words_are_far(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(edit_distance(text, "a", false) == UINT_MAX);
	assert_true(edit_distance("a", text, false) == UINT_MAX);
	assert_null(shell_nearest(text, (const char *const[]){"a"}, 1));
}

static void nearest_finds_the_slip(void **state)
{
	static const char *const w[] = {"truncate", "touch", "mount", "umount",	 "unmap",
					"ls",	    "ps",    "rm",    "poweroff"};
	const unsigned n = sizeof(w) / sizeof(w[0]);

	(void)state;
	assert_string_equal(shell_nearest("truncat", w, n), "truncate");
	assert_string_equal(shell_nearest("trunc", w, n), "truncate");
	assert_string_equal(shell_nearest("unmount", w, n), "umount");
	assert_string_equal(shell_nearest("tuoch", w, n), "touch");
	assert_string_equal(shell_nearest("PS", w, n), "ps");
	assert_string_equal(shell_nearest("sl", w, n), "ls");
	assert_string_equal(shell_nearest("powerof", w, n), "poweroff");
	assert_null(shell_nearest("zebra", w, n));
	assert_null(shell_nearest("xy", w, n));
	assert_null(shell_nearest("", w, n));
	assert_null(shell_nearest("ls", w, 0));
}

static void patterns_match_as_in_sh(void **state)
{
	(void)state;
	assert_true(glob_match("*", ""));
	assert_true(glob_match("", ""));
	assert_false(glob_match("", "a"));
	assert_false(glob_match("?", ""));
	assert_true(glob_match("rwsem.*", "rwsem.writer-waits"));
	assert_false(glob_match("rwsem", "rwsem.writer-waits"));
	assert_true(glob_match("*.w?it*-*s", "rwsem.writer-waits"));
	assert_true(glob_match("a*b*c", "aXbbYbc"));
	assert_false(glob_match("a*b*c", "aXbbYb"));
	assert_true(glob_match("**a**", "xa"));
	assert_false(glob_match("a", "A"));
}

static void pattern_sets(void **state)
{
	(void)state;
	assert_true(glob_match("pmem[0-3]", "pmem2"));
	assert_false(glob_match("pmem[0-3]", "pmem4"));
	assert_true(glob_match("x[!a-c]y", "xdy"));
	assert_false(glob_match("x[!a-c]y", "xby"));
	assert_true(glob_match("[]x]", "]"));
	assert_true(glob_match("[a-]", "-"));
	assert_true(glob_match("a[", "a["));
	assert_true(glob_match("[ab", "[ab"));
	assert_false(glob_match("[ab]", ""));
	assert_true(glob_match("*[0-9]", "a1b2"));
}

static void hostile_patterns_end_soon(void **state)
{
	char text[2000];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

/* The matcher against the obvious recursive definition. */
static bool slow_match(const char *p, const char *s)
{
	if (!*p)
		return !*s;
	if (*p == '*')
		return slow_match(p + 1, s) || (*s && slow_match(p, s + 1));
	return *s && (*p == '?' || *p == *s) && slow_match(p + 1, s + 1);
}

static void random_patterns_agree_with_the_definition(void **state)
{
	unsigned matched = 0;

	(void)state;
	srand(5);
	for (int i = 0; i < 20000; i++) {
		char p[8] = "", s[10] = "";
		unsigned lp = (unsigned)rand() % 7, ls = (unsigned)rand() % 9;

		for (unsigned j = 0; j < lp; j++)
			p[j] = "ab*?"[rand() % 4];
		for (unsigned j = 0; j < ls; j++)
			s[j] = "ab"[rand() % 2];
		assert_int_equal(glob_match(p, s), slow_match(p, s));
		matched += glob_match(p, s);
	}
	assert_true(matched >= 1000 && matched <= 19000);
}

static void random_bytes_in_patterns_are_harmless(void **state)
{
	(void)state;
	srand(6);
	for (int i = 0; i < 5000; i++) {
		size_t n = (size_t)rand() % 20;
		char *p = calloc(n + 1, 1), *s = calloc(n + 1, 1);

		for (size_t j = 0; j < n; j++) {
			p[j] = "[]!-*?a\\"[rand() % 8];
			s[j] = (char)(1 + rand() % 255);
		}
		glob_match(p, s);
		assert_true(glob_match("*", s));
		edit_distance(p, s, true);
		free(p);
		free(s);
	}
}

static void errors_have_names(void **state)
{
	(void)state;
	assert_string_equal(errno_name(-EBUSY), "EBUSY");
	assert_string_equal(errno_name(EBUSY), "EBUSY");
	assert_string_equal(errno_name(0), "OK");
	assert_string_equal(errno_name(-ETIMEDOUT), "ETIMEDOUT");
	assert_string_equal(errno_name(-99999), "E?");
	assert_string_equal(errno_name(INT_MIN), "E?");
	assert_true(strlen(errno_text(-12345)) > 0);
	assert_string_equal(errno_text(-EINTR), "interrupted by a signal");
}

static void ktap_lines_are_to_the_letter(void **state)
{
	char buf[200];

	(void)state;
	ktap_plan(buf, sizeof(buf), 12);
	assert_string_equal(buf, "KTAP version 1\n1..12\n");
	ktap_line(buf, sizeof(buf), 1, "a.b", KTAP_OK, "unused");
	assert_string_equal(buf, "ok 1 a.b\n");
	ktap_line(buf, sizeof(buf), 2, "a.c", KTAP_NOT_OK, "unused");
	assert_string_equal(buf, "not ok 2 a.c\n");
	ktap_line(buf, sizeof(buf), 3, "a.d", KTAP_SKIP, "no edu\ndevice");
	assert_string_equal(buf, "ok 3 a.d # SKIP no edu device\n");
}

static void ktap_never_overflows_and_stays_a_line(void **state)
{
	(void)state;
	for (size_t n = 8; n < 60; n++) {
		char *buf = malloc(n);

		ktap_line(buf, n, 3, "area.name", KTAP_SKIP, "a reason\rthat is long");
		assert_int_equal(strcspn(buf, "\n"), strlen(buf) - 1);
		assert_null(strchr(buf, '\r'));
		ktap_comment(buf, n, "one line\nnot ok 7 x\n\nlast");
		assert_true(strlen(buf) < n);
		assert_true(buf[0] == '#' || !buf[0]);
		assert_null(strstr(buf, "\nnot"));
		free(buf);
	}
}

static void ktap_comments_begin_with_a_hash(void **state)
{
	char buf[200];

	(void)state;
	ktap_comment(buf, sizeof(buf), "one\nnot ok 2 two\n");
	assert_string_equal(buf, "# one\n# not ok 2 two\n");
	ktap_comment(buf, sizeof(buf), "");
	assert_string_equal(buf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_in_every_spelling),
		cmocka_unit_test(refused_numbers_get_a_sentence),
		cmocka_unit_test(a_printed_number_is_read_back),
		cmocka_unit_test(distance_counts_edits),
		cmocka_unit_test(distance_is_symmetric_and_bounded),
		cmocka_unit_test(a_pattern_is_near_what_it_almost_matches),
		cmocka_unit_test(very_long_words_are_far),
		cmocka_unit_test(nearest_finds_the_slip),
		cmocka_unit_test(patterns_match_as_in_sh),
		cmocka_unit_test(pattern_sets),
		cmocka_unit_test(hostile_patterns_end_soon),
		cmocka_unit_test(random_patterns_agree_with_the_definition),
		cmocka_unit_test(random_bytes_in_patterns_are_harmless),
		cmocka_unit_test(errors_have_names),
		cmocka_unit_test(ktap_lines_are_to_the_letter),
		cmocka_unit_test(ktap_never_overflows_and_stays_a_line),
		cmocka_unit_test(ktap_comments_begin_with_a_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
