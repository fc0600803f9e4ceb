/* SPDX-License-Identifier: MIT */
/*
 * The memory map, put in order.
 *
 * Loaders give ranges in any order, and firmware is known to let them overlap. What comes out is
 * sorted, free of overlap and as short as possible. Where two ranges claim the same bytes the more
 * restrictive type wins: memory that is wrongly left unused costs a little, memory that is wrongly
 * used costs everything.
 *
 * Method: every start and every end is a cut. Between two neighbouring cuts the type is constant,
 * namely the most restrictive of all ranges that cover the gap. Quadratic, on at most 512 cuts.
 */
#include "boot/internal.h"

/* More restrictive is greater. A type nobody knows is as good as reserved. */
static int restriction(uint32_t type)
{
	switch (type) {
	case BOOT_RAM: return 1;
	case BOOT_PMEM: return 2;
	case BOOT_ACPI: return 3;
	case BOOT_NVS: return 4;
	case BOOT_BAD: return 6;
	default: return 5;
	}
}

/* Takes the last RAM range out of a full list; the others move up and keep their order. */
static bool evict_ram(struct boot_info *bi)
{
	uint32_t i = bi->nr_ranges;

	while (i && bi->ranges[i - 1].type != BOOT_RAM)
		i--;
	if (!i)
		return false;
	for (; i < bi->nr_ranges; i++)
		bi->ranges[i - 1] = bi->ranges[i];
	bi->nr_ranges--;
	return true;
}

/*
 * A range that does not fit is dropped and counted. Dropped RAM is merely not used; a dropped
 * reserved range could lie inside RAM, so it evicts the last RAM range of the list when there is
 * one. The new range is always the last one: a list that was in order stays so.
 */
static struct boot_range *new_range(struct boot_info *bi, uint32_t type)
{
	if (bi->nr_ranges == BOOT_MAX_RANGES) {
		bi->ranges_dropped++;
		if (type == BOOT_RAM || !evict_ram(bi))
			return NULL;
	}
	return &bi->ranges[bi->nr_ranges++];
}

void boot_add_range(struct boot_info *bi, uint64_t base, uint64_t len, uint32_t type)
{
	struct boot_range *last = bi->nr_ranges ? &bi->ranges[bi->nr_ranges - 1] : NULL;

	if (len > UINT64_MAX - base)
		len = UINT64_MAX - base;
	if (!len)
		return;
	if (last && last->type == type && last->base + last->len == base) {
		last->len += len;
		return;
	}
	last = new_range(bi, type);
	if (last)
		*last = (struct boot_range){.base = base, .len = len, .type = type};
}

/* LAB 01 ranges: sorted, apart from each other, the more restrictive type first */
static uint32_t collect_cuts(const struct boot_info *bi, uint64_t *cuts)
{
	uint32_t n = 0;

	for (uint32_t r = 0; r < 2 * bi->nr_ranges; r++) {
		const struct boot_range *range = &bi->ranges[r / 2];
		uint64_t cut = r % 2 ? range->base + range->len : range->base;
		uint32_t at = n++;

		for (; at > 0 && cuts[at - 1] > cut; at--)
			cuts[at] = cuts[at - 1];
		cuts[at] = cut;
	}
	return n;
}

/* The type of [from, to), a gap between two cuts; 0: no range covers it. */
static uint32_t type_between(const struct boot_info *bi, uint64_t from, uint64_t to)
{
	uint32_t best = 0;

	for (uint32_t r = 0; r < bi->nr_ranges; r++) {
		const struct boot_range *range = &bi->ranges[r];

		if (range->base <= from && to <= range->base + range->len &&
		    (!best || restriction(range->type) > restriction(best)))
			best = range->type;
	}
	return best;
}

void boot_normalise_ranges(struct boot_info *bi)
{
	static uint64_t cuts[2 * BOOT_MAX_RANGES];
	static struct boot_info out;
	uint32_t n = collect_cuts(bi, cuts);

	out.nr_ranges = 0;
	out.ranges_dropped = bi->ranges_dropped;
	for (uint32_t i = 1; i < n; i++) {
		uint32_t type = type_between(bi, cuts[i - 1], cuts[i]);

		if (type)
			boot_add_range(&out, cuts[i - 1], cuts[i] - cuts[i - 1], type);
	}
	for (uint32_t i = 0; i < out.nr_ranges; i++)
		bi->ranges[i] = out.ranges[i];
	bi->nr_ranges = out.nr_ranges;
	bi->ranges_dropped = out.ranges_dropped;
}
/* END */

uint64_t boot_ram_bytes(const struct boot_info *bi)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < bi->nr_ranges; i++)
		if (bi->ranges[i].type == BOOT_RAM)
			sum += bi->ranges[i].len;
	return sum;
}
