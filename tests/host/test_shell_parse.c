/* SPDX-License-Identifier: MIT */
/* The command line's grammar: separators, quotes, columns in refusals, and that no input breaks it.
 */
/* LINK: kernel/shell/shell_parse.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/shell/internal.h"

static char buf[4096], why[200];
static struct shell_words w;
static size_t pos;

/* Parses the next command of `line`; pos counts on from the last call. */
static int next(const char *line)
{
	return shell_parse_next(line, strlen(line), &pos, buf, &w, why, sizeof(why));
}

static int first(const char *line)
{
	pos = 0;
	return next(line);
}

static void refuses(const char *line, const char *sentence)
{
	assert_int_equal(first(line), -EINVAL);
	assert_string_equal(why, sentence);
	assert_int_equal(pos, 0);
}

static void words_are_split_at_blanks(void **state)
{
	(void)state;
	assert_int_equal(first("  write  /t/f\t0 hello "), 1);
	assert_int_equal(w.argc, 4);
	assert_string_equal(w.argv[0], "write");
	assert_string_equal(w.argv[1], "/t/f");
	assert_string_equal(w.argv[3], "hello");
	assert_null(w.argv[4]);
	assert_false(w.background);
}

static void text_is_the_command_as_typed(void **state)
{
	(void)state;
	assert_int_equal(first(" ;  echo 'a  b' & x"), 1);
	assert_int_equal(w.text_len, strlen("echo 'a  b'"));
	assert_memory_equal(w.text, "echo 'a  b'", w.text_len);
	assert_true(w.background);
}

static void commands_follow_each_other(void **state)
{
	const char *line = "a 1; b 2 &c\nd;;";

	(void)state;
	assert_int_equal(first(line), 1);
	assert_string_equal(w.argv[0], "a");
	assert_int_equal(next(line), 1);
	assert_string_equal(w.argv[0], "b");
	assert_true(w.background);
	assert_int_equal(next(line), 1);
	assert_string_equal(w.argv[0], "c");
	assert_false(w.background);
	assert_int_equal(next(line), 1);
	assert_string_equal(w.argv[0], "d");
	assert_int_equal(next(line), 0);
	assert_int_equal(next(line), 0);
}

static void nothing_is_no_command(void **state)
{
	static const char *const lines[] = {"", " ", ";", ";;", " ; ;; ", "\n", "\t\r\n"};

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(first(lines[i]), 0);
}

static void single_quotes_take_everything(void **state)
{
	(void)state;
	assert_int_equal(first("echo 'a; b & \"c\" \\n *'"), 1);
	assert_int_equal(w.argc, 2);
	assert_string_equal(w.argv[1], "a; b & \"c\" \\n *");
}

static void double_quotes_know_a_few_escapes(void **state)
{
	(void)state;
	assert_int_equal(first("echo \"\\\"q\\\" \\\\ \\$ \\` \\n '\""), 1);
	assert_string_equal(w.argv[1], "\"q\" \\ $ ` \\n '");
}

static void backslash_takes_the_next_byte(void **state)
{
	(void)state;
	assert_int_equal(first("echo a\\ b \\; \\& \\' \\\\"), 1);
	assert_int_equal(w.argc, 6);
	assert_string_equal(w.argv[1], "a b");
	assert_string_equal(w.argv[2], ";");
	assert_string_equal(w.argv[3], "&");
	assert_string_equal(w.argv[5], "\\");
}

static void quoted_parts_join_to_one_word(void **state)
{
	(void)state;
	assert_int_equal(first("echo a'b c'\"d\"e ''"), 1);
	assert_int_equal(w.argc, 3);
	assert_string_equal(w.argv[1], "ab cde");
	assert_string_equal(w.argv[2], "");
}

static void a_star_needs_no_quotes(void **state)
{
	(void)state;
	assert_int_equal(first("selftest rwsem.* page.?"), 1);
	assert_string_equal(w.argv[1], "rwsem.*");
	assert_string_equal(w.argv[2], "page.?");
}

static void refusals_name_the_column(void **state)
{
	(void)state;
	refuses("echo 'abc", "the single quote opened at column 6 is not closed");
	refuses("echo a \"b", "the double quote opened at column 8 is not closed");
	refuses("echo \\", "the backslash at column 6 has nothing to quote");
	refuses("&", "'&' at column 1 has no command before it");
	refuses(" ; & a", "'&' at column 4 has no command before it");
	refuses("echo \x07", "byte 0x07 at column 6 is not text");
	refuses("echo '\x1b[2J'", "byte 0x1b at column 7 is not text");
	assert_int_equal(first("a && b"), -EINVAL);
	assert_non_null(strstr(why, "'&&' at column 3 is not known here"));
}

static void a_nul_is_refused_not_taken_as_the_end(void **state)
{
	(void)state;
	pos = 0;
	assert_int_equal(shell_parse_next("ls\0x", 4, &pos, buf, &w, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "byte 0x00 at column 3 is not text");
}

static void words_are_counted(void **state)
{
	char line[200] = "";

	(void)state;
	for (int i = 0; i < SHELL_MAX_ARGS; i++)
		strcat(line, "x ");
	assert_int_equal(first(line), 1);
	assert_int_equal(w.argc, SHELL_MAX_ARGS);
	strcat(line, "y");
	refuses(line, "more than 32 words in one command (column 65)");
}

static void check_looks_at_the_whole_line(void **state)
{
	const char *good = "a; b & c", *bad = "a; b; c 'd";

	(void)state;
	assert_int_equal(shell_parse_check(good, strlen(good), buf, why, sizeof(why)), 3);
	assert_int_equal(shell_parse_check(bad, strlen(bad), buf, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "the single quote opened at column 9 is not closed");
}

static void context_finds_command_and_word(void **state)
{
	const char *line = "a b; mount pm";
	struct shell_context c = shell_context_at(line, strlen(line));

	(void)state;
	assert_int_equal(c.command, 4);
	assert_int_equal(c.word, 11);
	assert_int_equal(c.argno, 1);
	c = shell_context_at(line, 0);
	assert_int_equal(c.argno, 0);
	c = shell_context_at("x 'a b' ", 8);
	assert_int_equal(c.argno, 2);
	assert_int_equal(c.word, 8);
	c = shell_context_at("a\\ b", 4);
	assert_int_equal(c.argno, 0);
}

static void an_open_quote_is_known(void **state)
{
	(void)state;
	assert_int_equal(shell_context_at("cat \"/t/a b", 11).quote, '"');
	assert_int_equal(shell_context_at("cat \"/t/a b", 11).word, 4);
	assert_int_equal(shell_context_at("cat '/t/a", 9).quote, '\'');
	assert_int_equal(shell_context_at("cat '/t/a'", 10).quote, 0);
	assert_int_equal(shell_context_at("cat \"a\\\" b", 11).quote, '"');
	assert_int_equal(shell_context_at("cat \\\"a b", 9).argno, 2);
}

static void the_typed_part_of_a_word_is_unquoted(void **state)
{
	static const char *const typed[][2] = {
		{"/t/a\\ b", "/t/a b"}, {"\"a b", "a b"},   {"'a\\b", "a\\b"},
		{"\"a\\\"b", "a\"b"},	{"\"a\\b", "a\\b"}, {"x'y z'w", "xy zw"},
	};
	char out[20];

	(void)state;
	for (unsigned i = 0; i < sizeof(typed) / sizeof(typed[0]); i++) {
		assert_true(shell_word_typed(typed[i][0], 0, strlen(typed[i][0]), out));
		assert_string_equal(out, typed[i][1]);
	}
	assert_false(shell_word_typed("a\\", 0, 2, out));
}

/* What TAB inserts is read back as what it stands for, in every kind of quote. */
static void quoted_text_is_read_back(void **state)
{
	(void)state;
	srand(9);
	for (int round = 0; round < 3000; round++) {
		char text[20], line[120], buf[120], why[100], quote = "\0\"'"[round % 3];
		struct shell_words w;
		size_t pos = 0, len = 0, n = 1 + (size_t)rand() % 18;

		for (size_t i = 0; i < n; i++)
			text[i] = "ab ;&'\"\\$`*\t"[rand() % 12];
		text[n] = '\0';
		if (quote)
			line[len++] = quote;
		len += shell_word_quote(text, quote, line + len);
		assert_true(shell_word_typed(line, 0, len, buf));
		assert_string_equal(buf, text);
		assert_int_equal(shell_context_at(line, len).quote, quote);
		if (quote)
			line[len++] = quote;
		assert_int_equal(shell_parse_next(line, len, &pos, buf, &w, why, sizeof(why)), 1);
		assert_int_equal(w.argc, 1);
		assert_string_equal(w.argv[0], text);
	}
}

/* Random lines from the bytes that mean something, parsed in a buffer of exactly the promised size:
 * ASan sees one byte too much. */
static void random_bytes_stay_inside(void **state)
{
	static const char alphabet[] = "ab ;&'\"\\\t\n$*";
	unsigned total = 0, parsed = 0;

	(void)state;
	srand(20240601);
	while (total < 100000) {
		size_t len = (size_t)rand() % 120, at = 0;
		char *line = malloc(len + 1), *out = malloc(len + 1);
		int got;

		for (size_t i = 0; i < len; i++)
			line[i] = rand() % 20 ? alphabet[rand() % (sizeof(alphabet) - 1)]
					      : (char)rand();
		while ((got = shell_parse_next(line, len, &at, out, &w, why, sizeof(why))) > 0) {
			assert_true(w.argc >= 1 && w.argc <= SHELL_MAX_ARGS);
			assert_true(w.text >= line && w.text + w.text_len <= line + len);
			for (int i = 0; i < w.argc; i++)
				assert_true(strlen(w.argv[i]) <= w.text_len);
			parsed++;
		}
		assert_true(got == 0 || why[0]);
		shell_word_typed(line, shell_context_at(line, len).word, len, out);
		total += (unsigned)len;
		free(line);
		free(out);
	}
	assert_true(parsed > 1000);
}

/* Any text survives being put in single quotes (with '\'' for the quote itself), as in sh. */
static void quoting_is_undone_exactly(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 500; round++) {
		char text[40], line[300] = "echo '";
		size_t n = (size_t)rand() % (sizeof(text) - 1), at = strlen(line);

		for (size_t i = 0; i < n; i++) {
			text[i] = (char)(0x20 + rand() % 95);
			if (text[i] == '\'')
				at += (size_t)sprintf(line + at, "'\\''");
			else
				line[at++] = text[i];
		}
		text[n] = '\0';
		line[at++] = '\'';
		line[at] = '\0';
		assert_int_equal(first(line), 1);
		assert_int_equal(w.argc, 2);
		assert_string_equal(w.argv[1], text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_split_at_blanks),
		cmocka_unit_test(text_is_the_command_as_typed),
		cmocka_unit_test(commands_follow_each_other),
		cmocka_unit_test(nothing_is_no_command),
		cmocka_unit_test(single_quotes_take_everything),
		cmocka_unit_test(double_quotes_know_a_few_escapes),
		cmocka_unit_test(backslash_takes_the_next_byte),
		cmocka_unit_test(quoted_parts_join_to_one_word),
		cmocka_unit_test(a_star_needs_no_quotes),
		cmocka_unit_test(refusals_name_the_column),
		cmocka_unit_test(a_nul_is_refused_not_taken_as_the_end),
		cmocka_unit_test(words_are_counted),
		cmocka_unit_test(check_looks_at_the_whole_line),
		cmocka_unit_test(context_finds_command_and_word),
		cmocka_unit_test(an_open_quote_is_known),
		cmocka_unit_test(the_typed_part_of_a_word_is_unquoted),
		cmocka_unit_test(quoted_text_is_read_back),
		cmocka_unit_test(random_bytes_stay_inside),
		cmocka_unit_test(quoting_is_undone_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
