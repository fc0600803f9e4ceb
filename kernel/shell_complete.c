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

#include "kernel/shell_complete.h"

struct offer {
	unsigned count;
	size_t widest;
	char common[SHELL_WORD_MAX + 1];
};

/* Next candidate that is not too long, from *n on. */
static const char *next_candidate(struct shell_edit *e, size_t *word, unsigned *n)
{
	const char *c;

	while (*n < SHELL_MAX_OFFER) {
		c = e->ops->candidate(e->ops->arg, e->line, e->pos, word, (*n)++);
		if (!c)
			return NULL;
		if (strlen(c) <= SHELL_WORD_MAX && *word <= e->pos && strlen(c) >= e->pos - *word)
			return c;
	}
	return NULL;
}

static size_t survey(struct shell_edit *e, struct offer *o)
{
	size_t word = e->pos, len, same;
	unsigned n = 0;
	const char *c;

	memset(o, 0, sizeof(*o));
	while ((c = next_candidate(e, &word, &n))) {
		len = strlen(c);
		if (!o->count++)
			memcpy(o->common, c, len + 1);
		for (same = 0; same < len && o->common[same] == c[same]; same++)
			;
		o->common[same] = '\0';
		o->widest = len > o->widest ? len : o->widest;
	}
	return word;
}

/* Inserts what a candidate adds, each byte that has a meaning of its own behind a backslash. */
static void insert_rest(struct shell_edit *e, const char *rest)
{
	char quoted[2 * SHELL_WORD_MAX + 1];
	size_t n = 0;

	for (; *rest; rest++) {
		if (strchr(" \t;&'\"\\", *rest))
			quoted[n++] = '\\';
		quoted[n++] = *rest;
	}
	edit_insert(e, quoted, n);
}

/* All candidates, in columns that fit a row; then the line again below them. */
static void list(struct shell_edit *e, const struct offer *o)
{
	size_t width = o->widest + 2, per_row = width < SHELL_COLUMNS ? SHELL_COLUMNS / width : 1;
	size_t word, column = 0;
	unsigned n = 0;
	const char *c;

	edit_put(e, "\n", 1);
	while ((c = next_candidate(e, &word, &n))) {
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

void edit_complete(struct shell_edit *e)
{
	struct offer o;
	size_t typed = e->pos - survey(e, &o);
	size_t common = strlen(o.common);

	if (!o.count) {
		edit_bell(e);
		return;
	}
	if (common > typed)
		insert_rest(e, o.common + typed);
	else if (o.count > 1)
		list(e, &o);
	if (o.count == 1 && o.common[common - (common > 0)] != '/')
		edit_insert(e, " ", 1);
}
