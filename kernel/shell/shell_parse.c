/* SPDX-License-Identifier: MIT */
/*
 * Splitting a command line into commands and words (rules: internal.h).
 *
 * The scanner walks the line once and writes the unquoted bytes of each word, a NUL behind it, into
 * the caller's buffer. A word never grows by unquoting, and each NUL takes the place of the blank,
 * separator or quote that ended the word, so a buffer one byte longer than the line is always
 * enough.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernel/shell/internal.h"

struct scan {
	const char *line;
	size_t len, at;
	char *out; /* next free byte of the caller's buffer */
	char *why;
	size_t why_size;
};

__attribute__((format(printf, 2, 3))) static int bad_line(struct scan *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, s->why_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool separator(char c)
{
	return c == ';' || c == '\n' || c == '&';
}

/* Control bytes are refused: printed again in "> command" they would move the reader's cursor. */
static int refuse_control(struct scan *s)
{
	unsigned char c = (unsigned char)s->line[s->at];

	if ((c >= 0x20 && c != 0x7f) || c == '\t' || c == '\n' || c == '\r')
		return 0;
	return bad_line(s, "byte 0x%02x at column %zu is not text", c, s->at + 1);
}

/* Copies the quoted text that starts at s->at (on the quote) and steps behind the closing quote. */
static int take_quoted(struct scan *s)
{
	size_t open = s->at;
	char quote = s->line[s->at++];

	for (; s->at < s->len; s->at++) {
		char c = s->line[s->at];
		bool escapable = s->at + 1 < s->len && strchr("\"\\$`", s->line[s->at + 1]) &&
				 s->line[s->at + 1];

		if (refuse_control(s))
			return -EINVAL;
		if (c == quote) {
			s->at++;
			return 0;
		}
		if (c == '\\' && quote == '"' && escapable)
			c = s->line[++s->at];
		*s->out++ = c;
	}
	return bad_line(s, "the %s quote opened at column %zu is not closed",
			quote == '"' ? "double" : "single", open + 1);
}

static int take_escaped(struct scan *s)
{
	if (s->at + 1 >= s->len)
		return bad_line(s, "the backslash at column %zu has nothing to quote", s->at + 1);
	s->at++;
	if (refuse_control(s))
		return -EINVAL;
	*s->out++ = s->line[s->at++];
	return 0;
}

/* One word, from its first byte to the blank, separator or end behind it. */
static int take_word(struct scan *s)
{
	while (s->at < s->len) {
		char c = s->line[s->at];
		int err = refuse_control(s);

		if (err)
			return err;
		if (blank(c) || separator(c))
			break;
		if (c == '\'' || c == '"')
			err = take_quoted(s);
		else if (c == '\\')
			err = take_escaped(s);
		else
			*s->out++ = s->line[s->at++];
		if (err)
			return err;
	}
	*s->out++ = '\0';
	return 0;
}

static void skip_blanks(struct scan *s)
{
	while (s->at < s->len && blank(s->line[s->at]))
		s->at++;
}

/* All words up to a separator or the end; w->text_len ends behind the last one. */
static int take_words(struct scan *s, struct shell_words *w)
{
	w->text = s->line + s->at;
	w->text_len = 0;
	w->argc = 0;
	while (s->at < s->len && !separator(s->line[s->at])) {
		int err;

		if (w->argc == SHELL_MAX_ARGS)
			return bad_line(s, "more than %d words in one command (column %zu)",
					SHELL_MAX_ARGS, s->at + 1);
		w->argv[w->argc++] = s->out;
		err = take_word(s);
		if (err)
			return err;
		w->text_len = (size_t)(s->line + s->at - w->text);
		skip_blanks(s);
	}
	w->argv[w->argc] = NULL;
	return 0;
}

/* The separator behind a command; steps over it. */
static int take_separator(struct scan *s, struct shell_words *w)
{
	w->background = false;
	if (s->at == s->len)
		return 0;
	if (s->line[s->at] != '&') {
		s->at++;
		return 0;
	}
	if (s->at + 1 < s->len && s->line[s->at + 1] == '&')
		return bad_line(s,
				"'&&' at column %zu is not known here: ';' runs the next command "
				"whatever the status, a single '&' runs this one in the background",
				s->at + 1);
	w->background = true;
	s->at++;
	return 0;
}

int shell_parse_next(const char *line, size_t len, size_t *pos, char *buf, struct shell_words *w,
		     char *why, size_t n)
{
	struct scan s = {line, len, *pos, buf, why, n};
	int err;

	for (;;) {
		skip_blanks(&s);
		if (s.at == s.len) {
			*pos = s.at;
			return 0;
		}
		if (s.line[s.at] == '&')
			return bad_line(&s, "'&' at column %zu has no command before it", s.at + 1);
		if (!separator(s.line[s.at]))
			break;
		s.at++;
	}
	err = take_words(&s, w);
	if (!err)
		err = take_separator(&s, w);
	if (err)
		return err;
	*pos = s.at;
	return 1;
}

int shell_parse_check(const char *line, size_t len, char *buf, char *why, size_t n)
{
	struct shell_words w;
	size_t pos = 0;
	int commands = 0, got;

	while ((got = shell_parse_next(line, len, &pos, buf, &w, why, n)) > 0)
		commands++;
	return got < 0 ? got : commands;
}

/* Has the backslash at line[i] a meaning of its own there? Inside double quotes only before a few.
 */
static bool escapes(const char *line, size_t i, size_t len, char quote)
{
	return line[i] == '\\' && quote != '\'' &&
	       (!quote || (i + 1 < len && line[i + 1] && strchr("\"\\$`", line[i + 1])));
}

static char quote_behind(char quote, char c)
{
	if (quote)
		return c == quote ? 0 : quote;
	return c == '"' || c == '\'' ? c : 0;
}

struct shell_context shell_context_at(const char *line, size_t pos)
{
	struct shell_context c = {0, 0, 0, 0};
	bool in_word = false;

	for (size_t i = 0; i < pos; i++) {
		if (!c.quote && separator(line[i])) {
			c = (struct shell_context){i + 1, i + 1, 0, 0};
			in_word = false;
		} else if (!c.quote && blank(line[i])) {
			c.argno += in_word;
			in_word = false;
			c.word = i + 1;
		} else if (escapes(line, i, pos, c.quote)) {
			i += i + 1 < pos;
			in_word = true;
		} else {
			c.quote = quote_behind(c.quote, line[i]);
			in_word = true;
		}
	}
	return c;
}

bool shell_word_typed(const char *line, size_t word, size_t pos, char *out)
{
	char quote = 0;

	for (size_t i = word; i < pos; i++) {
		char next = quote_behind(quote, line[i]);

		if (line[i] == '\\' && quote != '\'' && i + 1 == pos)
			return false;
		if (escapes(line, i, pos, quote))
			*out++ = line[++i];
		else if (next == quote)
			*out++ = line[i];
		else
			quote = next;
	}
	*out = '\0';
	return true;
}

size_t shell_word_quote(const char *text, char quote, char *out)
{
	const char *special = quote ? "\"\\$`" : " \t\r\n;&'\"\\";
	char *o = out;

	for (; *text; text++) {
		if (quote == '\'' && *text == '\'') {
			memcpy(o, "'\\'", 3); /* the quote ends, one stands alone, … */
			o += 3;		      /* … and the next one begins */
		} else if (quote != '\'' && strchr(special, *text)) {
			*o++ = '\\';
		}
		*o++ = *text;
	}
	*o = '\0';
	return (size_t)(o - out);
}
