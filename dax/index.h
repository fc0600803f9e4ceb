/* SPDX-License-Identifier: MIT */
/*
 * The index of a DAX file: file page → entry, a radix tree of 64-way nodes.
 *
 * A value is a physical address whose low twelve bits are flags; zero means "no entry". Pure code,
 * used by entry.c under its lock and by host tests.
 */
#ifndef DAX_INDEX_H
#define DAX_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct index_node;
struct index {
	struct index_node *root; /* NULL: empty */
	unsigned height;	 /* levels below root; zero only when empty */
	unsigned long nr;	 /* entries that are not zero */
};

/* Value at `pgoff`, 0 if none. */
uint64_t index_load(const struct index *ix, uint64_t pgoff);
/* Where the value at `pgoff` stands, for a change in place to another one that is not zero; NULL:
 * there is none. Good until the next index_store(). */
uint64_t *index_slot(const struct index *ix, uint64_t pgoff);
void index_remove(struct index *ix, uint64_t *slot, uint64_t pgoff); /* the value at that slot */
/* Stores a value; 0 removes and frees nodes that became empty. False: no memory, nothing changed
 * (never for a removal or a change of an existing entry). */
bool index_store(struct index *ix, uint64_t pgoff, uint64_t value);
/* No entry in [pgoff, pgoff + n)? n: a multiple of 64 up to 4096, pgoff one of n. */
bool index_is_empty(const struct index *ix, uint64_t pgoff, uint64_t n);
/* First entry at or after *pgoff and before `end`: its value with *pgoff set to it, or 0. */
uint64_t *index_next_slot(const struct index *ix, uint64_t *pgoff,
			  uint64_t end); /* or where it stands */
static inline uint64_t index_next(const struct index *ix, uint64_t *pgoff, uint64_t end)
{
	const uint64_t *slot = index_next_slot(ix, pgoff, end);

	return slot ? *slot : 0;
}

#endif
