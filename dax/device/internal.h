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

/* A region on its way out. */
struct leaving {
	enum pmem_state from; /* where it goes back to if it is refused */
	bool mapped;	      /* as a device: see devdax_remove() */
};
/* Steps to LEAVING, which is the caller's: nobody mounts or maps it. -EBUSY: somebody does (named;
 * with `wait` a mapping is no reason), or a page of a device is held, or somebody else binds or
 * unbinds it; -ENODEV: it is not there. Sleepable. */
int devdax_leave_begin(struct pmem_region *region, bool wait, struct leaving *l);
/* devdax_remove.c: of a region that is LEAVING and mapped as a device: when it returns, no fault is
 * served any more, and nothing is mapped. -ENOMEM, with a sentence: all is as before. Sleeps; woken
 * by: the end of faults that run. */
int devdax_remove(struct pmem_region *region);
/* The region was marked as killed: when this returns no fault is on its way that had not seen it.
 * -ENOMEM, with a sentence. Sleeps; woken by: the end of those faults. */
int devdax_killed(struct pmem_region *region);

#endif
