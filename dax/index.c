/* SPDX-License-Identifier: MIT */
/*
 * The radix tree under a DAX file's entries.
 *
 * A node holds 64 slots: values at the lowest level, nodes above. The tree grows a level at the top
 * when a page offset does not fit, and a node without slots in use is freed at once, so an empty
 * file costs nothing and a walk meets no empty nodes.
 */
#include <stdlib.h>

#include "dax/index.h"

#define BITS  6
#define SLOTS (1u << BITS)

struct index_node {
	uint64_t slot[SLOTS]; /* values, or pointers to nodes */
	unsigned used;	      /* slots that are not zero; zero means: to be freed */
};

static unsigned slot_of(uint64_t pgoff, unsigned level)
{
	return (pgoff >> (BITS * level)) & (SLOTS - 1);
}

static bool fits(const struct index *ix, uint64_t pgoff)
{
	return BITS * ix->height >= 64 || pgoff >> (BITS * ix->height) == 0;
}

static struct index_node *child(const struct index_node *n, unsigned slot)
{
	return (struct index_node *)(uintptr_t)n->slot[slot];
}

uint64_t *index_slot(const struct index *ix, uint64_t pgoff)
{
	struct index_node *n = ix->root;
	uint64_t *slot;

	if (!n || !fits(ix, pgoff))
		return NULL;
	for (unsigned shift = BITS * (ix->height - 1); shift > 0; shift -= BITS) {
		n = child(n, pgoff >> shift & (SLOTS - 1));
		if (!n)
			return NULL;
	}
	slot = &n->slot[pgoff & (SLOTS - 1)];
	return *slot ? slot : NULL;
}

uint64_t index_load(const struct index *ix, uint64_t pgoff)
{
	const uint64_t *slot = index_slot(ix, pgoff);

	return slot ? *slot : 0;
}

/* Adds levels at the top until `pgoff` fits. */
static bool grow(struct index *ix, uint64_t pgoff)
{
	if (!ix->root) {
		ix->root = calloc(1, sizeof(struct index_node));
		if (!ix->root)
			return false;
		ix->height = 1;
	}
	while (!fits(ix, pgoff)) {
		struct index_node *top = calloc(1, sizeof(*top));

		if (!top)
			return false;
		top->slot[0] = (uintptr_t)ix->root;
		top->used = ix->root->used != 0;
		if (!top->used) { /* an empty root needs no level below it */
			top->slot[0] = 0;
			free(ix->root);
		}
		ix->root = top;
		ix->height++;
	}
	return true;
}

/* Frees the empty nodes on the way to `pgoff`, lowest first. */
static void prune(struct index *ix, uint64_t pgoff)
{
	for (;;) {
		struct index_node **link = &ix->root, *n = ix->root;
		struct index_node *parent = NULL;
		unsigned level = ix->height, at = 0;

		if (!n)
			return;
		while (--level > 0 && child(n, slot_of(pgoff, level))) {
			at = slot_of(pgoff, level);
			parent = n;
			n = child(n, at);
		}
		if (n->used)
			return;
		free(n);
		if (!parent) {
			*link = NULL;
			ix->height = 0;
			return;
		}
		parent->slot[at] = 0;
		parent->used--;
	}
}

/* The lowest node for `pgoff`, made if need be; NULL: no memory. */
static struct index_node *leaf(struct index *ix, uint64_t pgoff)
{
	struct index_node *n;

	if (!grow(ix, pgoff))
		return NULL;
	n = ix->root;
	for (unsigned level = ix->height - 1; level > 0; level--) {
		unsigned at = slot_of(pgoff, level);

		if (!n->slot[at]) {
			n->slot[at] = (uintptr_t)calloc(1, sizeof(*n));
			if (!n->slot[at])
				return NULL;
			n->used++;
		}
		n = child(n, at);
	}
	return n;
}

void index_remove(struct index *ix, uint64_t *slot, uint64_t pgoff)
{
	struct index_node *n = (struct index_node *)(slot - (pgoff & (SLOTS - 1)));

	*slot = 0;
	ix->nr--;
	if (--n->used == 0)
		prune(ix, pgoff);
}

bool index_store(struct index *ix, uint64_t pgoff, uint64_t value)
{
	uint64_t *slot = index_slot(ix, pgoff);
	struct index_node *n;

	if (slot && value)
		*slot = value;
	else if (slot)
		index_remove(ix, slot, pgoff);
	if (slot || !value)
		return true;
	n = leaf(ix, pgoff);
	if (!n) {
		prune(ix, pgoff); /* what was made on the way */
		return false;
	}
	n->slot[slot_of(pgoff, 0)] = value;
	n->used++;
	ix->nr++;
	return true;
}

/* Empty nodes do not exist, so the slots of the second level tell. */
bool index_is_empty(const struct index *ix, uint64_t pgoff, uint64_t n)
{
	struct index_node *node = ix->root;
	unsigned first = slot_of(pgoff, 1);

	if (!node || !fits(ix, pgoff))
		return true;
	for (unsigned level = ix->height - 1; level > 1; level--) {
		node = child(node, slot_of(pgoff, level));
		if (!node)
			return true;
	}
	if (ix->height == 1) /* one node, of the first 64 */
		return false;
	for (unsigned i = 0; i < n / SLOTS; i++)
		if (node->slot[first + i])
			return false;
	return true;
}

uint64_t *index_next_slot(const struct index *ix, uint64_t *pgoff, uint64_t end)
{
	while (*pgoff < end && ix->root && fits(ix, *pgoff)) {
		struct index_node *n = ix->root;
		unsigned shift = BITS * (ix->height - 1);
		uint64_t step, *slot = &n->slot[*pgoff >> shift & (SLOTS - 1)];

		while (*slot && shift > 0) {
			shift -= BITS;
			n = (struct index_node *)(uintptr_t)*slot;
			slot = &n->slot[*pgoff >> shift & (SLOTS - 1)];
		}
		if (*slot)
			return slot;
		step = 1ull << shift;
		if ((*pgoff & ~(step - 1)) + step < step) /* past the last offset there is */
			return NULL;
		*pgoff = (*pgoff & ~(step - 1)) + step;
	}
	return NULL;
}
