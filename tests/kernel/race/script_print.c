/* SPDX-License-Identifier: MIT */
/*
 * A script's lines: a number, and a column for each actor. Column 1 of the screen belongs to the
 * verdict, so everything is indented.
 */
#include <stdarg.h>

#include "tests/kernel/race/internal.h"

#define SCREEN 96 /* characters that all columns have together */

static unsigned width(const struct script *s)
{
	return SCREEN / s->nr_actors - 3;
}

static void row(const struct script *s, unsigned number, unsigned column, const char *text, int n)
{
	char line[SCREEN + 64];
	int at = number ? snprintf(line, sizeof(line), "  %2u |", number)
			: snprintf(line, sizeof(line), "     |");

	for (unsigned i = 0; i < s->nr_actors; i++)
		at += snprintf(line + at, sizeof(line) - at, " %-*.*s |", (int)width(s),
			       i == column ? n : 0, i == column ? text : "");
	kprintf("%s\n", line);
}

/* How much of the text goes on one line: whole words, if any fits. */
static int fitting(const char *text, int room)
{
	int n = (int)strlen(text), cut;

	if (n <= room)
		return n;
	for (cut = room; cut > 0 && text[cut] != ' '; cut--)
		;
	return cut ? cut : room;
}

static void header(struct script *s)
{
	char line[SCREEN + 64];
	int at = snprintf(line, sizeof(line), "     |");

	for (unsigned i = 0; i < s->nr_actors; i++)
		at += snprintf(line + at, sizeof(line) - at, " %-*s |", (int)width(s),
			       s->actor[i].name);
	kprintf("%s\n", line);
	s->header_printed = true;
}

void script_line(struct actor *a, bool numbered, const char *text)
{
	struct script *s = a->script;
	unsigned number = numbered ? ++s->line : 0;

	if (!s->header_printed)
		header(s);
	while (*text) {
		int n = fitting(text, (int)width(s));

		row(s, number, (unsigned)(a - s->actor), text, n);
		number = 0;
		for (text += n; *text == ' '; text++)
			;
	}
}

void script_say(struct actor *a, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	script_line(a, false, text);
}
