/* SPDX-License-Identifier: MIT */
/* A small terminal for tests of the line editor; see terminal.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/host/terminal.h"

struct terminal term;
char log_text[LOG_MAX];
static size_t log_len;

void term_reset(void)
{
	memset(&term, 0, sizeof(term));
	memset(log_text, 0, sizeof(log_text));
	log_len = 0;
}

static void term_escape(char final)
{
	unsigned n = (unsigned)atoi(term.escape + 1);

	if (final == 'K') {
		memset(term.row[term.column], 0, sizeof(term.row) - term.column * 5);
	} else if (final == 'D') {
		assert_true(n <= term.column);
		term.column -= n;
	} else if (final == 'H') {
		term.column = 0;
	} else {
		assert_int_equal(final, 'J');
		memset(term.row, 0, sizeof(term.row));
		term.screens++;
	}
	term.nr_escape = 0;
	memset(term.escape, 0, sizeof(term.escape));
}

static void term_byte(char c)
{
	unsigned char u = (unsigned char)c;

	if (term.nr_escape || u == 0x1b) {
		assert_true(term.nr_escape < sizeof(term.escape) - 1);
		if (u != 0x1b)
			term.escape[term.nr_escape - 1] = c;
		term.nr_escape++;
		if (u >= 0x40 && c != '[')
			term_escape(c);
	} else if (c == '\r') {
		term.column = 0;
	} else if (c == '\n') {
		memset(term.row, 0, sizeof(term.row));
		term.column = 0;
		term.rows++;
	} else if (c == '\a') {
		term.bells++;
	} else if ((u & 0xc0) == 0x80) { /* joins the code point before it */
		if (term.column && strlen(term.row[term.column - 1]) < 4)
			strncat(term.row[term.column - 1], &c, 1);
	} else {
		assert_true(u >= 0x20 && term.column < SHELL_COLUMNS);
		memset(term.row[term.column], 0, 5);
		term.row[term.column++][0] = c;
	}
}

void term_out(void *arg, const char *s, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++) {
		term_byte(s[i]);
		if (log_len < sizeof(log_text) - 1)
			log_text[log_len++] = s[i];
	}
}

const char *row_text(void)
{
	static char text[5 * SHELL_COLUMNS + 1];

	text[0] = '\0';
	for (unsigned i = 0; i < SHELL_COLUMNS; i++)
		strcat(text, term.row[i]);
	return text;
}
