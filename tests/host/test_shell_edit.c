/* SPDX-License-Identifier: MIT */
/*
 * The line editor against a small terminal: after every byte the row on the screen must show the
 * prompt, a part of the line, and the cursor where the editor says it is.
 */
/* LINK: tests/host/terminal.c kernel/shell/shell_edit.c kernel/shell/shell_complete.c */
/* LINK: kernel/shell/shell_history.c kernel/shell/shell_parse.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/host/terminal.h"

#define PROMPT "holdfast> "

static const char *const *words;

static const char *candidate(void *arg, const char *line, size_t pos, size_t *typed, unsigned n)
{
	size_t start = pos;

	(void)arg;
	while (start && line[start - 1] != ' ')
		start--;
	*typed = pos - start;
	for (const char *const *p = words; p && *p; p++)
		if (!strncmp(*p, line + start, pos - start) && n-- == 0)
			return *p;
	return NULL;
}

static const struct shell_edit_ops ops = {term_out, candidate, NULL};
static struct shell_history history;
static struct shell_edit e;
static enum shell_edit_event last;

static int set_up(void **state)
{
	(void)state;
	term_reset();
	words = NULL;
	shell_edit_init(&e, &ops, PROMPT, &history);
	shell_edit_start(&e);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	shell_history_clear(&history);
	return 0;
}

static size_t width(const char *s, size_t n)
{
	size_t columns = 0;

	while (n--)
		columns += ((unsigned char)*s++ & 0xc0) != 0x80;
	return columns;
}

/* What the screen must show now. */
static void check_row(void)
{
	const char *text = row_text();
	size_t shown = strlen(text) - strlen(PROMPT);

	assert_memory_equal(text, PROMPT, strlen(PROMPT));
	assert_true(e.first <= e.pos && e.pos <= e.len && e.len <= SHELL_LINE_MAX);
	assert_true(shown <= e.len - e.first);
	assert_memory_equal(text + strlen(PROMPT), e.line + e.first, shown);
	assert_int_equal(term.column, strlen(PROMPT) + width(e.line + e.first, e.pos - e.first));
	assert_int_equal(e.line[e.len], '\0');
}

static void type_bytes(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		last = shell_edit_byte(&e, (unsigned char)s[i]);
		if (last == EDIT_MORE)
			check_row();
	}
}

static void type(const char *s)
{
	type_bytes(s, strlen(s));
}

/* Types a line and Enter, remembers it, starts the next. */
static void enter(const char *s)
{
	type(s);
	type("\r");
	assert_int_equal(last, EDIT_LINE);
	shell_history_add(&history, e.line);
	shell_edit_start(&e);
}

static void typed_text_is_echoed_once(void **state)
{
	(void)state;
	type("help");
	assert_string_equal(row_text(), PROMPT "help");
	assert_string_equal(log_text, "\r" PROMPT "\x1b[Khelp");
	type("\r");
	assert_int_equal(last, EDIT_LINE);
	assert_string_equal(e.line, "help");
}

static void crlf_is_one_line_end(void **state)
{
	(void)state;
	type("a\r");
	assert_int_equal(last, EDIT_LINE);
	shell_edit_start(&e);
	type("\n");
	assert_int_equal(last, EDIT_MORE);
	type("\n");
	assert_int_equal(last, EDIT_LINE);
	assert_string_equal(e.line, "");
}

static void arrows_move_and_text_goes_between(void **state)
{
	(void)state;
	type("ac\x1b[Db");
	assert_string_equal(e.line, "abc");
	assert_string_equal(row_text(), PROMPT "abc");
	assert_int_equal(e.pos, 2);
	type("\x1b[C!\x1bOD\x1bOD-");
	assert_string_equal(e.line, "ab-c!");
}

static void home_and_end_in_every_spelling(void **state)
{
	static const char *const home[] = {"\x01", "\x1b[H", "\x1b[1~", "\x1b[7~", "\x1bOH"};
	static const char *const end[] = {"\x05", "\x1b[F", "\x1b[4~", "\x1b[8~", "\x1bOF"};

	(void)state;
	type("abc");
	for (unsigned i = 0; i < 5; i++) {
		type(home[i]);
		assert_int_equal(e.pos, 0);
		type(end[i]);
		assert_int_equal(e.pos, 3);
	}
	assert_int_equal(term.bells, 0);
}

static void deleting_both_ways(void **state)
{
	(void)state;
	type("abcd\x7f\x08");
	assert_string_equal(e.line, "ab");
	type("\x01\x1b[3~");
	assert_string_equal(e.line, "b");
	type("\x04");
	assert_string_equal(e.line, "");
	assert_string_equal(row_text(), PROMPT);
}

static void kills_to_end_to_start_and_by_word(void **state)
{
	(void)state;
	type("one two three \x17");
	assert_string_equal(e.line, "one two ");
	type("\x17xx\x1b[D\x1b[D\x15");
	assert_string_equal(e.line, "xx");
	type("\x05yy\x1b[D\x0b");
	assert_string_equal(e.line, "xxy");
}

static void at_the_edge_a_bell_and_no_change(void **state)
{
	static const char *const keys[] = {"\x7f",   "\x04x\x7f\x0b", "\x15",	"\x17", "\x1b[C",
					   "\x1b[D", "\x1b[A",	      "\x1b[B", "\t",	"\x1d"};

	(void)state;
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		unsigned bells = term.bells;

		shell_edit_start(&e);
		type(i == 1 ? keys[i] + 1 : keys[i]);
		assert_string_equal(e.line, "");
		assert_true(term.bells > bells);
	}
}

static void ctrl_d_ends_only_an_empty_line(void **state)
{
	(void)state;
	type("a\x01\x04");
	assert_int_equal(last, EDIT_MORE);
	assert_string_equal(e.line, "");
	type("\x04");
	assert_int_equal(last, EDIT_EOF);
}

static void ctrl_c_drops_the_line(void **state)
{
	(void)state;
	type("abc\x01\x03");
	assert_int_equal(last, EDIT_CANCEL);
	assert_non_null(strstr(log_text, "abc\x1b[K^C\n"));
}

static void ctrl_l_leaves_one_row(void **state)
{
	(void)state;
	type("abc\x1b[D\x0c");
	assert_int_equal(term.screens, 1);
	assert_string_equal(row_text(), PROMPT "abc");
}

static void history_walks_and_returns_to_the_draft(void **state)
{
	(void)state;
	enter("first");
	enter("second");
	type("dra\x1b[A");
	assert_string_equal(e.line, "second");
	type("\x1b[A");
	assert_string_equal(e.line, "first");
	type("\x1b[A"); /* no further */
	assert_string_equal(e.line, "first");
	type("\x1b[B\x1b[Bft");
	assert_string_equal(e.line, "draft");
	type("\x10\x10\x0e");
	assert_string_equal(e.line, "second");
}

static void history_keeps_64_and_no_twins(void **state)
{
	char line[32];

	(void)state;
	for (int i = 0; i < 70; i++) {
		snprintf(line, sizeof(line), "line %d", i);
		enter(line);
		enter(line);
		enter("");
		enter("  ");
	}
	assert_int_equal(history.count, SHELL_HISTORY);
	assert_string_equal(history.line[0], "line 6");
	assert_string_equal(history.line[63], "line 69");
}

static void tab_completes_a_single_candidate(void **state)
{
	static const char *const list[] = {"truncate", "touch", NULL};

	(void)state;
	words = list;
	type("tr\t");
	assert_string_equal(e.line, "truncate ");
	type("x\x01to\x1b[D\x1b[C\t");
	assert_string_equal(e.line, "touch truncate x");
}

static void tab_stops_where_candidates_differ_then_lists(void **state)
{
	static const char *const list[] = {"page", "pagemap", "pgmap", "pmem", NULL};

	(void)state;
	words = list;
	type("pa\t");
	assert_string_equal(e.line, "page");
	assert_int_equal(term.rows, 0);
	type("\t");
	assert_string_equal(e.line, "page");
	assert_non_null(strstr(log_text, "\npage     pagemap  \n"));
	assert_string_equal(row_text(), PROMPT "page");
}

static void tab_leaves_a_folder_open(void **state)
{
	static const char *const list[] = {"/t/dir/", NULL};

	(void)state;
	words = list;
	type("ls /t\t");
	assert_string_equal(e.line, "ls /t/dir/");
}

static void tab_quotes_what_needs_it(void **state)
{
	static const char *const list[] = {"a b;c", NULL};

	(void)state;
	words = list;
	type("a\t");
	assert_string_equal(e.line, "a\\ b\\;c ");
}

static void tab_leaves_a_value_open(void **state)
{
	static const char *const list[] = {"lifetime=", NULL};

	(void)state;
	words = list;
	type("li\t");
	assert_string_equal(e.line, "lifetime=");
}

/* U+00E9 and U+00E8 begin with the same byte, which alone is no text. */
static void tab_splits_no_code_point(void **state)
{
	static const char *const list[] = {"caf\u00e9", "caf\u00e8", NULL};

	(void)state;
	words = list;
	type("c\t");
	assert_string_equal(e.line, "caf");
}

static void sequences_may_be_unknown_broken_or_long(void **state)
{
	char flood[200];

	(void)state;
	type("a\x1b[99;5u\x1b[Zb\x1bxc\x1b[1;5D");
	assert_string_equal(e.line, "abc");
	assert_int_equal(e.pos, 2);
	type("\x1b[3\x05"
	     "d"); /* a control byte in the middle acts as itself */
	assert_string_equal(e.line, "abcd");
	memset(flood, '9', sizeof(flood));
	type("\x1b[");
	type_bytes(flood, sizeof(flood));
	type("\x03");
	assert_int_equal(last, EDIT_CANCEL);
}

static void a_long_line_scrolls_sideways(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++)
		type(i % 10 ? "." : "|");
	assert_int_equal(e.len, 300);
	assert_int_equal(term.rows, 0);
	type("\x01");
	assert_int_equal(e.first, 0);
	for (int i = 0; i < 150; i++)
		type("\x1b[C");
	assert_int_equal(e.pos, 150);
	type("\x0b\x15");
	assert_string_equal(row_text(), PROMPT);
}

static void an_overlong_line_is_refused_with_a_bell(void **state)
{
	(void)state;
	for (int i = 0; i < SHELL_LINE_MAX; i++)
		type("x");
	assert_int_equal(term.bells, 0);
	type("yz");
	assert_int_equal(term.bells, 2);
	assert_int_equal(e.len, SHELL_LINE_MAX);
	assert_null(strchr(e.line, 'y'));
}

static void a_code_point_is_one_step(void **state)
{
	(void)state;
	type("a\xc3\xa4\xe2\x82\xac");
	assert_int_equal(e.len, 6);
	type("\x1b[D");
	assert_int_equal(e.pos, 3);
	type("\x7f");
	assert_string_equal(e.line, "a\xe2\x82\xac");
	type("\x04");
	assert_string_equal(e.line, "a");
}

static void hide_and_show_keep_line_and_cursor(void **state)
{
	(void)state;
	type("abc\x1b[D");
	shell_edit_hide(&e);
	assert_string_equal(row_text(), "");
	shell_edit_show(&e);
	check_row();
	assert_int_equal(e.pos, 2);
}

/* 100,000 bytes: half of them keys, half anything. The row is checked after each ASCII-only state.
 */
static void random_bytes_never_break_it(void **state)
{
	static const char *const keys[] = {"\x1b[A",  "\x1b[B", "\x1b[C", "\x1b[D",
					   "\x1b[3~", "\t",	"\x01",	  "\x05",
					   "\x17",    "word ",	"\x1b[",  "\x7f"};
	static const char *const list[] = {"word", "wonder", "a b", "x/", NULL};
	unsigned bytes = 0, lines = 0;

	(void)state;
	words = list;
	srand(4711);
	while (bytes < 100000) {
		char any[2] = {(char)(rand() % 2 ? rand() % 128 : ' ' + rand() % 64), 0};
		const char *s = rand() % 2 ? any : keys[rand() % 12];
		size_t n = s == any ? 1 : strlen(s);

		for (size_t i = 0; i < n; i++, bytes++) {
			last = shell_edit_byte(&e, (unsigned char)s[i]);
			assert_true(strlen(e.line) == e.len);
			if (last == EDIT_MORE) {
				check_row();
				continue;
			}
			if (last == EDIT_LINE)
				shell_history_add(&history, e.line);
			lines++;
			shell_edit_start(&e);
		}
	}
	assert_true(lines > 50);
}

/* Bytes that are no UTF-8 may look odd on the screen, but line, cursor and memory stay sound. */
static void random_high_bytes_stay_inside(void **state)
{
	(void)state;
	srand(815);
	for (unsigned i = 0; i < 20000; i++) {
		last = shell_edit_byte(&e, (unsigned char)(rand() % 8 ? rand() : 0x1b));
		assert_true(e.first <= e.pos && e.pos <= e.len && e.len <= SHELL_LINE_MAX);
		assert_true(strlen(e.line) == e.len);
		if (last != EDIT_MORE)
			shell_edit_start(&e);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(typed_text_is_echoed_once),
		T(crlf_is_one_line_end),
		T(arrows_move_and_text_goes_between),
		T(home_and_end_in_every_spelling),
		T(deleting_both_ways),
		T(kills_to_end_to_start_and_by_word),
		T(at_the_edge_a_bell_and_no_change),
		T(ctrl_d_ends_only_an_empty_line),
		T(ctrl_c_drops_the_line),
		T(ctrl_l_leaves_one_row),
		T(history_walks_and_returns_to_the_draft),
		T(history_keeps_64_and_no_twins),
		T(tab_completes_a_single_candidate),
		T(tab_leaves_a_value_open),
		T(tab_splits_no_code_point),
		T(tab_stops_where_candidates_differ_then_lists),
		T(tab_leaves_a_folder_open),
		T(tab_quotes_what_needs_it),
		T(sequences_may_be_unknown_broken_or_long),
		T(a_long_line_scrolls_sideways),
		T(an_overlong_line_is_refused_with_a_bell),
		T(a_code_point_is_one_step),
		T(hide_and_show_keep_line_and_cursor),
		T(random_bytes_never_break_it),
		T(random_high_bytes_stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
