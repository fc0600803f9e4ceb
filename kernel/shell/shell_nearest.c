/* SPDX-License-Identifier: MIT */
/*
 * "Did you mean …?": the registered word with the smallest edit distance.
 *
 * The distance is the usual table, one row per byte typed: cell j of a row is the cheapest way from
 * the bytes typed so far to the first j bytes of the word. A swap of neighbours looks two rows
 * back, hence three rows. Pure code, also tested on the host.
 */
#include <limits.h>
#include <string.h>

#include "kernel/shell/internal.h"

#define LONGEST 64

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Fills row `i` of the table from the two before it. */
static void fill_row(unsigned *row, const unsigned *prev, const unsigned *prev2, const char *text,
		     unsigned i, const char *word, unsigned len, bool wild)
{
	char c = lower(text[i - 1]);
	bool star = wild && c == '*';

	row[0] = star ? prev[0] : prev[0] + 1;
	for (unsigned j = 1; j <= len; j++) {
		char w = lower(word[j - 1]);
		unsigned same = c == w || (wild && c == '?') ? 0 : 1;

		if (star) { /* stands for nothing, or takes one byte more */
			row[j] = least(prev[j], row[j - 1]);
			continue;
		}
		row[j] = least(prev[j - 1] + same, least(prev[j], row[j - 1]) + 1);
		if (i > 1 && j > 1 && c == lower(word[j - 2]) && lower(text[i - 2]) == w)
			row[j] = least(row[j], prev2[j - 2] + 1);
	}
}

unsigned edit_distance(const char *text, const char *word, bool wild)
{
	size_t tlen = strlen(text), wlen = strlen(word);
	unsigned rows[3][LONGEST + 1];

	if (tlen > LONGEST || wlen > LONGEST)
		return UINT_MAX;
	for (unsigned j = 0; j <= wlen; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= tlen; i++)
		fill_row(rows[i % 3], rows[(i + 2) % 3], rows[(i + 1) % 3], text, i, word,
			 (unsigned)wlen, wild);
	return rows[tlen % 3][wlen];
}

/* A beginning counts as one slip, whatever is missing: people stop typing in the middle of a word.
 */
static unsigned slips(const char *text, const char *word)
{
	size_t len = strlen(text);
	unsigned d = edit_distance(text, word, false);

	if (len >= 2 && d > 1 && !strncmp(text, word, len))
		return 1;
	return d;
}

/*
 * Near: at most one slip, and one more for each three bytes, but never as many as the text is long,
 * since then nothing of it is left.
 */
const char *shell_nearest(const char *text, const char *const *words, unsigned n)
{
	size_t dashes = strspn(text, "-"); /* say nothing: -x is not nearly -l */
	unsigned len = (unsigned)least((unsigned)strlen(text + dashes), LONGEST + 1);
	unsigned best = least(1 + len / 3, len ? len - 1 : 0) + 1;
	const char *nearest = NULL;

	for (unsigned i = 0; i < n; i++) {
		unsigned d = slips(text, words[i]);

		if (d < best) {
			best = d;
			nearest = words[i];
		}
	}
	return nearest;
}
