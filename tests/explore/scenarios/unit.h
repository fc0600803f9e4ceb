/* SPDX-License-Identifier: MIT */
/*
 * An IOMMU in memory, for scenarios: a VT-d unit by its queue of invalidations, and one device
 * behind it.
 *
 * The driver is the kernel's own, with its tables and its bus addresses. Of the unit there is what
 * it remembers and how it is told to forget. It remembers each translation that it has walked to
 * until it is told, which no real one is obliged to do, and it forgets no more than it was told.
 * A transfer that was let through arrives before the next invalidation is answered.
 */
#ifndef TESTS_EXPLORE_SCENARIOS_UNIT_H
#define TESTS_EXPLORE_SCENARIOS_UNIT_H

#include "drivers/iommu/internal.h"
#include "tests/explore/explore.h"

struct unit {
	struct vtd vtd;
	struct iommu_domain domain;
	struct dma_device dev;	/* behind it */
	struct spinlock lock;	/* a transfer, or an invalidation */
	unsigned head;		/* of the queue */
	unsigned selected;	/* invalidations of a block of pages */
	unsigned whole;		/* of the domain, or of more */
	unsigned early;		/* that found entries which were not written back yet */
	unsigned waiting;	/* tables out of use that the last one found: not given back yet */
	unsigned faults;	/* of the device */
	uint64_t told_first;	/* pages of bus addresses that it was told last to forget: from */
	uint64_t told_pages;	/* this one on so many */
	struct unit_seen *seen; /* what it remembers, by page; UNIT_PAGES */
};
#define UNIT_PAGES 2048u /* of bus addresses, from the first that is given out */
struct unit_seen {
	uint64_t phys; /* of the page; zero: not remembered */
	unsigned rights;
};
extern struct unit unit;

/* Blocks of up to 2^most_order pages can be forgotten; -1: only all. `large`: bit 0, pages of 2 MiB
 * can be used. 0, or -ENOMEM with a sentence. */
int unit_setup(int most_order, unsigned large);
void unit_teardown(void);
/* The device writes a word; false: a fault. */
bool unit_write(uint64_t bus, uint64_t word);
/* Pages of [bus, bus + bytes) that the unit remembers. */
unsigned unit_remembers(uint64_t bus, uint64_t bytes);

#endif
