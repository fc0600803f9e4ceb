/* SPDX-License-Identifier: MIT */
/*
 * The index of a DAX file: file page → entry, a radix tree of 64-way nodes.
 *
 * A value is a physical address whose low twelve bits are flags; zero means "no entry". Pure code,
 * used by entry.c under its lock and by host tests.
 */
#ifndef DAX_FILE_INDEX_H
#define DAX_FILE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_BITS  6u
#define INDEX_SLOTS 64u /* of a node; 2^INDEX_BITS */
/* The flag that marks a large value: for 512 pages from a multiple of that on, of which the others
 * have none. It has one place, that of its first page; looking for one of the next 63 finds it too,
 * for one after those nothing. */
#define INDEX_LARGE_PAGES 512u
#define INDEX_LARGE	  2ull

struct index_node {
	uint64_t slot[INDEX_SLOTS]; /* values, or pointers to nodes */
	unsigned used;		    /* slots that are not zero; zero means: to be freed */
};
struct index {
	struct index_node *root; /* NULL: empty */
	unsigned height;	 /* levels below root; zero only when empty */
	unsigned long nr;	 /* entries that are not zero */
};

/* Value at `pgoff`, 0 if none. */
uint64_t index_load(const struct index *ix, uint64_t pgoff);
/* Where the value at `pgoff` stands, for a change in place to another one that is not zero; NULL:
 * there is none. Good until the next index_store(). */
static inline uint64_t *index_slot(const struct index *ix, uint64_t pgoff);
/* Removes nr values that stand side by side from `slot` on, the place of `pgoff`, within one node;
 * a node that became empty is freed. */
void index_remove(struct index *ix, uint64_t *slot, uint64_t pgoff, unsigned nr);
void index_remove_large(struct index *ix, uint64_t *slot, uint64_t pgoff); /* one of those */
/* Stores a value, not zero, where there is none. Its place, which stays while it is there; NULL: no
 * memory, nothing changed. */
uint64_t *index_add(struct index *ix, uint64_t pgoff, uint64_t value);
/* The same of a large value. NULL and *taken: one of its pages has a value. */
uint64_t *index_add_large(struct index *ix, uint64_t pgoff, uint64_t value, bool *taken);
/* Stores a value, no large one; 0 removes and frees nodes that became empty. False: no memory,
 * nothing changed (never for a removal or a change of an existing entry). */
bool index_store(struct index *ix, uint64_t pgoff, uint64_t value);
/* Where the first value at or after *pgoff and before `end` stands, with *pgoff set to it; NULL:
 * there is none. Those of the pages after it follow, up to the node's end: index_left(). */
uint64_t *index_next_slot(const struct index *ix, uint64_t *pgoff, uint64_t end);
/* That value, or 0. */
static inline uint64_t index_next(const struct index *ix, uint64_t *pgoff, uint64_t end)
{
	const uint64_t *slot = index_next_slot(ix, pgoff, end);

	return slot ? *slot : 0;
}

/* Pages from `pgoff` on whose places are in the same node. */
static inline unsigned index_left(uint64_t pgoff)
{
	return INDEX_SLOTS - (pgoff & (INDEX_SLOTS - 1));
}

/* ---- in line: every fault looks for its entry */

static inline bool index_fits(const struct index *ix, uint64_t pgoff)
{
	return INDEX_BITS * ix->height >= 64 || pgoff >> (INDEX_BITS * ix->height) == 0;
}

/* Does a slot above the lowest level hold a value, not a node? Nodes are aligned, values marked. */
static inline bool index_is_large(uint64_t slot)
{
	return slot & INDEX_LARGE;
}

static inline uint64_t *index_slot(const struct index *ix, uint64_t pgoff)
{
	struct index_node *n = ix->root;
	unsigned shift = INDEX_BITS * ix->height;

	if (!n || !index_fits(ix, pgoff))
		return NULL;
	for (;;) {
		uint64_t *slot;

		shift -= INDEX_BITS;
		slot = &n->slot[pgoff >> shift & (INDEX_SLOTS - 1)];
		if (!*slot)
			return NULL;
		if (!shift || index_is_large(*slot))
			return slot;
		n = (struct index_node *)(uintptr_t)*slot;
	}
}

#endif
