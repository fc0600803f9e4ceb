/* SPDX-License-Identifier: MIT */
/*
 * Pages of the altmap are handed out upwards and never one by one again: records come when pages
 * are first used and leave all together, when the device does. So one counter is the whole
 * allocator.
 */
#include "mm/mm.h"

uint64_t altmap_alloc(struct altmap *a, uint64_t nr)
{
	uint64_t used = a->align + a->alloc;
	uint64_t pfn = a->base_pfn + a->reserve + used;
	uint64_t pad;

	if (!nr || (nr & (nr - 1)))
		return 0;
	pad = -pfn & (nr - 1);
	if (nr > a->free || used + pad > a->free - nr)
		return 0;
	a->align += pad;
	a->alloc += nr;
	return pfn + pad;
}

void altmap_free(struct altmap *a, uint64_t nr)
{
	/* More than was taken shows as a huge number, which the unmapping reports. */
	a->alloc -= nr;
	if (!a->alloc)
		a->align = 0;
}
