/* SPDX-License-Identifier: MIT */
/*
 * A table of ranges that do not overlap, sorted by address: "whose number is this?".
 *
 * Plain data and pure functions, so the same code runs on the host under sanitizers. Who may read
 * while somebody writes is not decided here but by pgmap_lookup.c, which keeps two tables.
 */
#ifndef MM_DEVICE_RANGES_H
#define MM_DEVICE_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#define RANGES_MAX 512

struct range_entry {
	uint64_t start, end; /* [start, end), not empty */
	void *owner;
};
struct range_table {
	unsigned nr; /* zero means: no range */
	struct range_entry r[RANGES_MAX];
};

/* The first range that has something in common with [start, end), which is not empty; or NULL. */
const struct range_entry *range_find(const struct range_table *t, uint64_t start, uint64_t end);
/* False, and nothing changed: the range is empty, overlaps another, or the table is full. */
bool range_insert(struct range_table *t, uint64_t start, uint64_t end, void *owner);
unsigned range_remove(struct range_table *t, const void *owner); /* all of that owner; how many */
void range_copy(struct range_table *to, const struct range_table *from);
/* Bit i is set if [start + i * unit, start + (i + 1) * unit) has something in common with a range:
 * 64 units from `start` on. */
uint64_t range_bits(const struct range_table *t, uint64_t start, uint64_t unit);

#endif
