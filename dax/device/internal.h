/* SPDX-License-Identifier: MIT */
/* A region that is mapped as a device. */
#ifndef DAX_DEVICE_INTERNAL_H
#define DAX_DEVICE_INTERNAL_H

#include "dax/dax.h"

struct devdax {
	struct pmem_region *region;
	unsigned level;	       /* 1 … 3: pages of 4 KiB, 2 MiB, 1 GiB; valid while users */
	uint64_t first, pages; /* pfn of the first page mapped, 4 KiB pages from there */
	uint64_t frame;	       /* a frame of records that exists, for the next fault; zero: none */
	unsigned users;	       /* VMAs (atomic); zero: none, the region is free for a mount */
	unsigned mounts;       /* zero: none, the region is free to be mapped */
	bool dead;	       /* removed under its mappings: no fault is served any more */
	struct mutex lock; /* protects the above, and binding anew: whoever waits for that device
			      keeps nobody from another one */
	struct mapping mapping;
};

/* The device of a region. Constant since boot. */
struct devdax *devdax_of(struct pmem_region *r);

/* devdax_remove.c: a region that is mapped as a device leaves: no fault is served any more, what is
 * mapped goes, pins are waited for. -ENOENT: it is not mapped as a device. Sleeps; woken by: the
 * last put. */
int devdax_remove(struct pmem_region *region);
/* The region was marked as killed: when this returns no fault is on its way that had not seen it.
 * -ENOMEM, with a sentence. Sleeps; woken by: the end of those faults. */
int devdax_killed(struct pmem_region *region);

#endif
