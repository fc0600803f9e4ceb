/* SPDX-License-Identifier: MIT */
/*
 * altmap: the page records of a device live on the device itself.
 *
 *   base            base + reserve         base + reserve + free                 end of the range
 *   | the driver's own | page records          | pages that have records                |
 *
 * RAM for the records of a very large device may not be there; the device then gives `free` pages
 * of its own for them. Pages before base + reserve + free have no record at all. What is taken is
 * counted in `alloc`, which must be zero again when the device leaves.
 */
#ifndef MM_DEVICE_ALTMAP_H
#define MM_DEVICE_ALTMAP_H

#include <stdint.h>

struct altmap {
	/* Given by the driver, in pages. */
	uint64_t base_pfn; /* first pfn of the range */
	uint64_t reserve;  /* pages at base that the driver keeps */
	uint64_t free;	   /* pages behind them for records */
	/* Kept by altmap_alloc() and altmap_free(); the caller serialises. */
	uint64_t align; /* pages lost to alignment */
	uint64_t alloc; /* pages that hold records; zero means all are back */
};

/* `nr` pages, a power of two, aligned to their own size. First pfn, or 0: no room, or nr is none.
 */
uint64_t altmap_alloc(struct altmap *a, uint64_t nr);
/* Gives nr pages back. When the last ones are back, all of `free` can be taken again. */
void altmap_free(struct altmap *a, uint64_t nr);
/* First pfn that has a record. */
static inline uint64_t altmap_first_pfn(const struct altmap *a)
{
	return a->base_pfn + a->reserve + a->free;
}

#endif
