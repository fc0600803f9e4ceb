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

#define WORDS 16384u

struct word {
	uintptr_t at;		  /* 0: free */
	uint16_t newest, changed; /* links, as x_chain_head() returns them */
};
static struct word *words;
static uint16_t used[WORDS / 2]; /* of words[] */
static unsigned nr_used;
unsigned x_linked;
uint16_t x_wide_head;

bool x_chains_init(void)
{
	if (!words)
		words = machine_memory(WORDS * sizeof(*words));
	return words != NULL;
}

/* Of another exploration. */
void x_chains_reset(void)
{
	while (nr_used)
		words[used[--nr_used]] = (struct word){0};
	x_linked = x_wide_head = 0;
}

const struct x_place x_wide = {.at = 8, .bytes = 8, .how = X_WRITE};

bool x_is_wide(const struct x_place *p)
{
	return (p->at & 7) + p->bytes > 8;
}

static void claim(struct word *w, uintptr_t at)
{
	if (nr_used == WORDS / 2)
		x_fail("more than %u words are touched by events: make the scenario smaller",
		       WORDS / 2);
	w->at = at;
	used[nr_used++] = (uint16_t)(w - words);
}

inline uint16_t x_chain_word(const struct x_place *p)
{
	uintptr_t at = x_is_wide(p) ? x_wide.at : p->at & ~7ul;
	unsigned i = x_hash(at) % WORDS;

	while (words[i].at && words[i].at != at)
		i = (i + 1) % WORDS;
	if (!words[i].at)
		claim(&words[i], at);
	return (uint16_t)i;
}

static bool changes(const struct x_place *p)
{
	return p->how & (X_WRITE | X_SHARED);
}

unsigned x_chain_head(const struct x_place *p, uint16_t word)
{
	return changes(p) ? words[word].newest : words[word].changed;
}

static inline void add(struct x_node *node, unsigned i, unsigned link)
{
	struct word *w = &words[node->link[i].word];

	node->link[i].older = w->newest;
	node->link[i].changed = w->changed;
	w->newest = (uint16_t)link;
	if (changes(&node->op.place[i]))
		w->changed = (uint16_t)link;
	if (unlikely(w->at == x_wide.at))
		x_wide_head = (uint16_t)link;
}

inline void x_chains_add(unsigned n)
{
	struct x_node *node = &x.node[n];
	unsigned link = n * X_PLACES + 1;

	if (node->op.nr)
		add(node, 0, link);
	for (unsigned i = 1; i < node->op.nr; i++)
		add(node, i, link + i);
	x_linked = n + 1;
}

static inline void cut(const struct x_node *node, unsigned i)
{
	struct word *w = &words[node->link[i].word];

	w->newest = node->link[i].older;
	w->changed = node->link[i].changed;
	if (unlikely(w->at == x_wide.at))
		x_wide_head = w->newest;
}

void x_chains_cut(unsigned depth)
{
	while (x_linked > depth) {
		struct x_node *node = &x.node[--x_linked];

		for (unsigned i = node->op.nr; i > 1;)
			cut(node, --i);
		if (node->op.nr)
			cut(node, 0);
	}
}
