/* SPDX-License-Identifier: MIT */
/*
 * TAB: what could stand at the cursor?
 *
 * One pass over the candidates finds how many there are, how long the longest is and what all of
 * them begin with. If that is more than what was typed, it is inserted, and a blank after it when
 * only one is left; if not, all are listed. Candidates are never stored: whoever makes them may
 * reuse one buffer. Pure code.
 */
#include <string.h>

#include "kernel/shell/internal.h"

struct offer {
	unsigned count;
	size_t widest;
	size_t typed; /* bytes of every candidate that are in the line already */
	char common[SHELL_WORD_MAX + 1];
};

/* Next candidate that is not too long, from *n on. */
static const char *next_candidate(struct shell_edit *e, size_t *typed, unsigned *n)
{
	const char *c;

	while (*n < SHELL_MAX_OFFER) {
		c = e->ops->candidate(e->ops->arg, e->line, e->pos, typed, (*n)++);
		if (!c)
			return NULL;
		if (strlen(c) <= SHELL_WORD_MAX && strlen(c) >= *typed)
			return c;
	}
	return NULL;
}

/* How many bytes both begin with, whole code points of UTF-8. */
static size_t same_start(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	while (n && ((unsigned char)a[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void survey(struct shell_edit *e, struct offer *o)
{
	unsigned n = 0;
	const char *c;
	size_t len;

	memset(o, 0, sizeof(*o));
	while ((c = next_candidate(e, &o->typed, &n))) {
		len = strlen(c);
		if (!o->count++)
			memcpy(o->common, c, len + 1);
		o->common[same_start(o->common, c)] = '\0';
		o->widest = len > o->widest ? len : o->widest;
	}
}

/* Inserts what a candidate adds, as the shell will read it at this place. */
static void insert_rest(struct shell_edit *e, const char *rest, char quote)
{
	char quoted[4 * SHELL_WORD_MAX + 1];

	edit_insert(e, quoted, shell_word_quote(rest, quote, quoted));
}

/* All candidates, in columns that fit a row; then the line again below them. */
static void list(struct shell_edit *e, const struct offer *o)
{
	size_t width = o->widest + 2, per_row = width < SHELL_COLUMNS ? SHELL_COLUMNS / width : 1;
	size_t typed, column = 0;
	unsigned n = 0;
	const char *c;

	edit_put(e, "\n", 1);
	while ((c = next_candidate(e, &typed, &n))) {
		bool last = ++column == per_row;

		edit_put(e, c, strlen(c));
		for (size_t i = strlen(c); !last && i < width; i++)
			edit_put(e, " ", 1);
		if (last)
			edit_put(e, "\n", 1);
		column = last ? 0 : column;
	}
	if (column)
		edit_put(e, "\n", 1);
	shell_edit_show(e);
}

/* Nothing can be added: the word ends, its quote too. A folder and KEY= are left open. */
static void finish_word(struct shell_edit *e, const struct offer *o, char quote)
{
	size_t len = strlen(o->common);

	if (o->count != 1 || (len && strchr("/=", o->common[len - 1])))
		return;
	if (quote)
		edit_insert(e, &quote, 1);
	edit_insert(e, " ", 1);
}

void edit_complete(struct shell_edit *e)
{
	char quote = shell_context_at(e->line, e->pos).quote;
	struct offer o;

	survey(e, &o);
	if (!o.count) {
		edit_bell(e);
		return;
	}
	if (strlen(o.common) > o.typed)
		insert_rest(e, o.common + o.typed, quote);
	else if (o.count > 1)
		list(e, &o);
	finish_word(e, &o, quote);
}
