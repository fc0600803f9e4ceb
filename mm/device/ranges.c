/* SPDX-License-Identifier: MIT */
/*
 * Sorted ranges: a binary search to look up, a move of what lies behind to change.
 *
 * Looking up happens all the time, changing when a device comes or goes. A sorted array answers in
 * nine comparisons for the 512 ranges it can hold, and is copied whole by one memcpy.
 */
#include <string.h>

#include "mm/device/internal.h"

/* Index of the first range that ends behind `at`; nr if there is none. */
static unsigned first_behind(const struct range_table *t, uint64_t at)
{
	unsigned low = 0, high = t->nr;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (t->r[mid].end <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct range_entry *range_find(const struct range_table *t, uint64_t start, uint64_t end)
{
	unsigned i = first_behind(t, start);

	return i < t->nr && t->r[i].start < end ? &t->r[i] : NULL;
}

bool range_insert(struct range_table *t, uint64_t start, uint64_t end, void *owner)
{
	unsigned i = first_behind(t, start);

	if (start >= end || t->nr == RANGES_MAX || (i < t->nr && t->r[i].start < end))
		return false;
	memmove(&t->r[i + 1], &t->r[i], (t->nr - i) * sizeof(t->r[0]));
	t->r[i] = (struct range_entry){start, end, owner};
	t->nr++;
	return true;
}

unsigned range_remove(struct range_table *t, const void *owner)
{
	unsigned kept = 0, before = t->nr;

	for (unsigned i = 0; i < before; i++)
		if (t->r[i].owner != owner)
			t->r[kept++] = t->r[i];
	t->nr = kept;
	return before - kept;
}

void range_copy(struct range_table *to, const struct range_table *from)
{
	memcpy(to->r, from->r, from->nr * sizeof(from->r[0]));
	to->nr = from->nr;
}

uint64_t range_bits(const struct range_table *t, uint64_t start, uint64_t unit)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 64; i++)
		if (range_find(t, start + i * unit, start + (i + 1) * unit))
			bits |= 1ull << i;
	return bits;
}
