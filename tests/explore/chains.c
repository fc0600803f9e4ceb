/* SPDX-License-Identifier: MIT */
/*
 * Which events touched a place: for each word of memory the chain of them, the newest first.
 *
 * An event asks for the earlier ones that it competes with (dpor.c). Instead of all events of the
 * execution it looks at those of its own places: each event is linked into the chain of every word
 * that it touches, once behind all events there, and once behind those only that change something,
 * which is all that a load competes with.
 *
 * An execution keeps the beginning of the one before, and with it the beginnings of the chains:
 * what comes after is unlinked, newest first (x_chains_cut()). The table of words is kept for a
 * whole exploration, since the next execution touches the same ones. Places
 * that lie in several words, as a page that is freed, are few: they have one chain together, which
 * everybody looks at; and what touches such a place looks at all events.
 */
#include "tests/explore/internal.h"

struct x_word *x_words;
static uint16_t used[X_WORDS / 2]; /* of x_words[] */
static unsigned nr_used;
unsigned x_linked;
struct x_link *x_wide_newest;

bool x_chains_init(void)
{
	if (!x_words)
		x_words = machine_memory(X_WORDS * sizeof(*x_words));
	for (unsigned n = 0; n < X_DEPTH; n++)
		for (unsigned i = 0; i < X_PLACES; i++)
			x.node[n].link[i].node = &x.node[n];
	return x_words != NULL;
}

/* Of another exploration. */
void x_chains_reset(void)
{
	while (nr_used)
		x_words[used[--nr_used]] = (struct x_word){0};
	x_linked = 0;
	x_wide_newest = NULL;
}

const struct x_place x_wide = {.at = 8, .bytes = 8, .how = X_WRITE};

struct x_word *x_chain_claim(struct x_word *w, uintptr_t at)
{
	while (w->at && w->at != at)
		w = w + 1 < x_words + X_WORDS ? w + 1 : x_words;
	if (w->at)
		return w;
	if (nr_used == X_WORDS / 2)
		x_fail("more than %u words are touched by events: make the scenario smaller",
		       X_WORDS / 2);
	w->at = at;
	used[nr_used++] = (uint16_t)(w - x_words);
	return w;
}

/* Of a place in one word, or its first: a wide one may begin there, or have begun. */
static __attribute__((noinline)) const struct x_link *wide_giver(const struct x_place *p)
{
	struct x_place one = {.at = p->at & ~7ul, .bytes = 8};
	const struct x_link *wide = x_same_place(x_chain_word(&x_wide)->changed, p->at);
	const struct x_link *in_word = x_same_place(x_chain_word(&one)->changed, p->at);

	return MAX(wide, in_word); /* of the newer node */
}

inline const struct x_link *x_chain_giver(const struct x_place *p, const struct x_word *w)
{
	if (unlikely(x_wide_newest || x_is_wide(p)))
		return wide_giver(p);
	return x_same_place(w->changed, p->at);
}

static inline void cut(const struct x_link *l)
{
	struct x_word *w = l->word;

	w->newest = l->older;
	w->changed = l->changed;
}

void x_chains_cut(unsigned depth)
{
	const struct x_node *node = &x.node[x_linked], *first = &x.node[depth];

	while (node > first)
		for (unsigned i = (--node)->op.nr; i > 0;)
			cut(&node->link[--i]);
	x_linked = MIN(x_linked, depth);
	if (unlikely(x_wide_newest))
		x_wide_newest = x_chain_word(&x_wide)->newest;
}
