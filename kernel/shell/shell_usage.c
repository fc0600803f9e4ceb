/* SPDX-License-Identifier: MIT */
/*
 * Reading usage lines (grammar: internal.h).
 *
 * Each word of the usage is a place, numbered from the left. One pass over the line finds, for
 * every place, the set of places that may come next; a set is the bits of one number. The words
 * typed so far then lead from set to set, all possibilities at once, so that no line is too long.
 */
#include <stdint.h>
#include <string.h>

#include "kernel/shell/internal.h"

#define MAX_PLACES 64 /* further words of a usage are not seen */

struct grammar {
	const char *at; /* the rest of the usage */
	unsigned nr;
	struct place {
		const char *s;
		size_t len;
		uint64_t next;
	} place[MAX_PLACES];
};

/* A piece of the usage: the places where it can begin and end; can it be left out? */
struct piece {
	uint64_t first, last;
	bool empty;
};

static void lead(struct grammar *g, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < g->nr; i++)
		if (from >> i & 1)
			g->place[i].next |= to;
}

static struct piece one_of(struct piece a, struct piece b)
{
	return (struct piece){a.first | b.first, a.last | b.last, a.empty || b.empty};
}

static struct piece in_a_row(struct grammar *g, struct piece a, struct piece b)
{
	lead(g, a.last, b.first);
	return (struct piece){a.first | (a.empty ? b.first : 0), b.last | (b.empty ? a.last : 0),
			      a.empty && b.empty};
}

static void skip_blanks(struct grammar *g)
{
	g->at += strspn(g->at, " ");
}

/* A word ends before a blank, or before a bracket that was opened outside it. */
static struct piece read_word(struct grammar *g)
{
	const char *s = g->at;
	uint64_t bit;
	int open = 0;

	for (; *g->at && *g->at != ' ' && (open || *g->at != ']'); g->at++)
		open += (*g->at == '[') - (*g->at == ']');
	if (g->nr == MAX_PLACES)
		return (struct piece){0, 0, true};
	bit = 1ull << g->nr;
	g->place[g->nr++] = (struct place){s, (size_t)(g->at - s), 0};
	return (struct piece){bit, bit, false};
}

static struct piece read_rows(struct grammar *g);

static struct piece read_group(struct grammar *g)
{
	struct piece p;

	g->at++;
	p = read_rows(g);
	g->at += *g->at == ']';
	p.empty = true;
	return p;
}

static bool is_kind(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* One word or group; of options that follow each other all. */
static struct piece read_item(struct grammar *g)
{
	struct piece p;

	if (*g->at != '[')
		return read_word(g);
	if (is_kind(g->at[1]))
		return read_group(g);
	p = read_group(g);
	for (skip_blanks(g); g->at[0] == '[' && !is_kind(g->at[1]); skip_blanks(g)) {
		p = one_of(p, read_group(g));
		lead(g, p.last, p.first);
	}
	return p;
}

static bool at_bar(const struct grammar *g)
{
	return g->at[0] == '|' && g->at[1] == ' ';
}

static struct piece read_row(struct grammar *g)
{
	struct piece all = {0, 0, true}, item = {0, 0, true};

	for (skip_blanks(g); *g->at && *g->at != ']' && !at_bar(g); skip_blanks(g)) {
		if (!strncmp(g->at, "...", 3)) {
			lead(g, item.last, item.first);
			g->at += 3;
			continue;
		}
		item = read_item(g);
		all = in_a_row(g, all, item);
	}
	return all;
}

static struct piece read_rows(struct grammar *g)
{
	struct piece p = read_row(g);

	while (at_bar(g)) {
		g->at++;
		p = one_of(p, read_row(g));
	}
	return p;
}

/* The next of the words between the bars of a place, from *at on; false: no more. What stands
 * behind KEY= keeps the key: longterm=refuse|allow. */
static bool next_word(const struct place *p, size_t *at, struct shell_usage_word *w)
{
	const char *s = p->s + *at, *eq;
	size_t len = 0;

	if (*at >= p->len)
		return false;
	while (*at + len < p->len && s[len] != '|')
		len++;
	*at += len + 1;
	eq = memchr(s, '=', len);
	if (eq || *s == '%') {
		w->key = s;
		w->key_len = eq ? (size_t)(eq + 1 - s) : 1;
		s += w->key_len;
		len -= w->key_len;
	} else if (w->key_len && *w->key == '%') {
		w->key_len = 0;
	}
	w->text = s;
	w->kind = len && is_kind(*s);
	w->len = len;
	if (w->kind && memchr(s, '[', len))
		w->len = (size_t)((const char *)memchr(s, '[', len) - s);
	while (w->kind && s[w->len - 1] >= '0' && s[w->len - 1] <= '9')
		w->len--;
	return true;
}

enum match { MATCH_NOT, MATCH_KIND, MATCH_WORD };

static enum match match(const struct place *p, const char *typed)
{
	struct shell_usage_word w = {0};
	enum match best = MATCH_NOT;

	for (size_t at = 0; next_word(p, &at, &w);) {
		const char *rest = typed + w.key_len;

		if (w.key_len && strncmp(typed, w.key, w.key_len))
			continue;
		if (w.key_len ||
		    (!w.kind && strlen(rest) == w.len && !strncmp(rest, w.text, w.len)))
			return MATCH_WORD;
		if (w.kind)
			best = MATCH_KIND;
	}
	return best;
}

/* The places that `typed` can stand at, of those in `set`; a word of the usage's own is no FILE. */
static uint64_t take(const struct grammar *g, uint64_t set, const char *typed)
{
	uint64_t found[MATCH_WORD + 1] = {0};

	for (unsigned i = 0; i < g->nr; i++)
		if (set >> i & 1)
			found[match(&g->place[i], typed)] |= 1ull << i;
	return found[MATCH_WORD] ? found[MATCH_WORD] : found[MATCH_KIND];
}

static uint64_t behind(const struct grammar *g, uint64_t set)
{
	uint64_t next = 0;

	for (unsigned i = 0; i < g->nr; i++)
		if (set >> i & 1)
			next |= g->place[i].next;
	return next;
}

void shell_usage_next(const char *usage, int argc, const char *const *argv,
		      void (*found)(void *arg, const struct shell_usage_word *w), void *arg)
{
	struct grammar g = {.at = usage};
	uint64_t set = read_rows(&g).first;

	for (int i = 0; i < argc; i++)
		set = behind(&g, take(&g, set, argv[i]));
	for (unsigned i = 0; i < g.nr; i++) {
		struct shell_usage_word w = {0};

		for (size_t at = 0; set >> i & 1 && next_word(&g.place[i], &at, &w);)
			found(arg, &w);
	}
}

/* Does the usage have `word` as one, with nothing of it left: "edu=" of [edu=N], "deaf" of [deaf]?
 */
static bool has_word(const char *usage, const char *word, size_t len)
{
	bool key = word[len - 1] == '=';

	for (const char *at = usage; (at = strchr(at, word[0])); at++)
		if (at > usage && strchr(key ? "[ |" : "[", at[-1]) && !strncmp(at, word, len) &&
		    (key || at[len] == ']'))
			return true;
	return false;
}

int shell_usage_repeated(const char *usage, int argc, const char *const *argv)
{
	for (int i = 2; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		size_t len = equals ? (size_t)(equals + 1 - argv[i]) : strlen(argv[i]) + 1;

		for (int j = 1; j < i; j++)
			if (len > 1 && !strncmp(argv[j], argv[i], len) &&
			    has_word(usage, argv[i], equals ? len : len - 1))
				return i;
	}
	return 0;
}
