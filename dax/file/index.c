/* SPDX-License-Identifier: MIT */
/*
 * The radix tree under a DAX file's entries.
 *
 * A node holds 64 slots: values at the lowest level, nodes above. The tree grows a level at the top
 * when a page offset does not fit, and a node without slots in use is freed at once, so an empty
 * file costs nothing and a walk meets no empty nodes.
 *
 * A large value, for 512 pages, stands one level up, in the slot where the node of its first 64
 * pages would be; the slots of its other pages there stay empty. So 2 MiB of a file cost one slot,
 * and no node.
 */
#include <stdlib.h>
#include <string.h>

#include "dax/dax.h"

#define BITS  INDEX_BITS
#define SLOTS INDEX_SLOTS

static unsigned slot_of(uint64_t pgoff, unsigned level)
{
	return (pgoff >> (BITS * level)) & (SLOTS - 1);
}

static struct index_node *child(const struct index_node *n, unsigned slot)
{
	return (struct index_node *)(uintptr_t)n->slot[slot];
}

uint64_t index_load(const struct index *ix, uint64_t pgoff)
{
	const uint64_t *slot = index_slot(ix, pgoff);

	return slot ? *slot : 0;
}

/* Adds levels at the top until `pgoff` fits. */
static bool __attribute__((noinline)) grow(struct index *ix, uint64_t pgoff)
{
	if (!ix->root) {
		ix->root = calloc(1, sizeof(struct index_node));
		if (!ix->root)
			return false;
		ix->height = 1;
	}
	while (!index_fits(ix, pgoff)) {
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

/* Frees the empty nodes on the way to `pgoff`, lowest first. The way ends at a large value, which
 * is no node; of a tree that did not grow as far as `pgoff` it is the root alone, since the slots
 * below belong to other offsets. */
static void prune(struct index *ix, uint64_t pgoff)
{
	for (;;) {
		struct index_node **link = &ix->root, *n = ix->root;
		struct index_node *parent = NULL;
		unsigned level = n && index_fits(ix, pgoff) ? ix->height : 1, at = 0;

		if (!n)
			return;
		while (--level > 0 && n->slot[slot_of(pgoff, level)] &&
		       !index_is_large(n->slot[slot_of(pgoff, level)])) {
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

/* The node of level `low` (0: the lowest) for `pgoff`, made if need be; NULL: no memory. Nothing on
 * the way there is a large value. */
static struct index_node *make_level(struct index *ix, uint64_t pgoff, unsigned low)
{
	const uint64_t last = pgoff | ((SLOTS << (BITS * low)) - 1); /* of the node's pages */
	struct index_node *n = ix->root;

	if (!n || !index_fits(ix, last)) {
		if (!grow(ix, last))
			return NULL;
		n = ix->root;
	}
	for (unsigned level = ix->height - 1; level > low; level--) {
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

uint64_t *index_add(struct index *ix, uint64_t pgoff, uint64_t value)
{
	struct index_node *n = make_level(ix, pgoff, 0);
	uint64_t *slot;

	if (!n) {
		prune(ix, pgoff); /* what was made on the way */
		return NULL;
	}
	slot = &n->slot[slot_of(pgoff, 0)];
	*slot = value;
	n->used++;
	ix->nr++;
	return slot;
}

uint64_t *index_add_large(struct index *ix, uint64_t pgoff, uint64_t value, bool *taken)
{
	struct index_node *n = make_level(ix, pgoff, 1);
	uint64_t *slot, all = 0;

	if (!n) {
		prune(ix, pgoff);
		*taken = false;
		return NULL;
	}
	slot = &n->slot[slot_of(pgoff, 1)];
#pragma GCC unroll 8
	for (unsigned i = 0; i < INDEX_LARGE_PAGES / SLOTS; i++) /* no node is empty */
		all |= slot[i];
	*taken = all != 0;
	if (all)
		return NULL;
	*slot = value;
	n->used++;
	ix->nr++;
	return slot;
}

/* Both kinds of removal: nr slots of the node that `slot`, its at-th, belongs to. */
static void remove_slots(struct index *ix, uint64_t *slot, unsigned at, uint64_t pgoff, unsigned nr)
{
	struct index_node *n = (struct index_node *)(slot - at);

	memset(slot, 0, nr * sizeof(*slot));
	ix->nr -= nr;
	n->used -= nr;
	if (!n->used)
		prune(ix, pgoff);
}

void index_remove(struct index *ix, uint64_t *slot, uint64_t pgoff, unsigned nr)
{
	remove_slots(ix, slot, slot_of(pgoff, 0), pgoff, nr);
}

void index_remove_large(struct index *ix, uint64_t *slot, uint64_t pgoff)
{
	remove_slots(ix, slot, slot_of(pgoff, 1), pgoff, 1);
}

bool index_store(struct index *ix, uint64_t pgoff, uint64_t value)
{
	uint64_t *slot = index_slot(ix, pgoff);

	if (slot && value)
		*slot = value;
	else if (slot)
		index_remove(ix, slot, pgoff, 1);
	return slot || !value || index_add(ix, pgoff, value);
}

uint64_t *index_next_slot(const struct index *ix, uint64_t *pgoff, uint64_t end)
{
	while (*pgoff < end && ix->root && index_fits(ix, *pgoff)) {
		struct index_node *n = ix->root;
		unsigned shift = BITS * (ix->height - 1);
		uint64_t step, *slot = &n->slot[*pgoff >> shift & (SLOTS - 1)];

		while (*slot && shift > 0 && !index_is_large(*slot)) {
			shift -= BITS;
			n = (struct index_node *)(uintptr_t)*slot;
			slot = &n->slot[*pgoff >> shift & (SLOTS - 1)];
		}
		step = 1ull << shift;
		if (*slot && !(*pgoff & (step - 1))) /* a large value has one place, its first */
			return slot;
		/* On to the next slot of this node that is in use, or to the node after it. */
		do {
			*pgoff = (*pgoff & ~(step - 1)) + step;
			if (!*pgoff) /* past the last offset there is */
				return NULL;
		} while (++slot < n->slot + SLOTS && !*slot);
	}
	return NULL;
}
