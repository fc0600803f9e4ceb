/* SPDX-License-Identifier: MIT */
/* What the dax floor keeps of a region, and the steps of its mounts, mappings and end. */
#ifndef DAX_DEVICE_INTERNAL_H
#define DAX_DEVICE_INTERNAL_H

#include "dax/dax.h"

struct dax_device {
	struct pmem_region *region; /* constant */
	struct mutex lock; /* protects what follows, and binding anew: whoever waits for that device
			      keeps nobody from another one */
	unsigned mounts;   /* zero: none, the region is free to be mapped, or to leave */

	/* Mapped as a device. */
	unsigned users;	       /* VMAs (atomic); zero: none, the region is free for a mount */
	unsigned level;	       /* 1 … 3: pages of 4 KiB, 2 MiB, 1 GiB; valid while users */
	uint64_t binding;      /* region->bindings when the first of them came: faults of another
				  binding are of a device that was removed */
	uint64_t first, pages; /* pfn of the first page mapped, 4 KiB pages from there */
	uint64_t frame;	       /* a frame of records that exists, for the next fault; zero: none */
	struct mapping mapping;
	struct lease_list leases; /* of clients that hold pages: broken when the device goes */

	/* Blocks that their file freed and somebody still holds. Not under the lock. */
	uint64_t busy;	   /* records marked busy. Zero: none (atomic) */
	uint64_t released; /* of those, how many were released since boot (atomic) */
};

struct dax_device *dax_device_of(const struct pmem_region *r); /* constant since boot */

/* A file system begins and ends to use the region, bound as FS_DAX. -EBUSY: it is mapped (named), a
 * page of it is held, or it is being bound or unbound; -ENODEV: it is not there, or was killed.
 * Sleepable. */
int dax_device_mount(struct pmem_region *r);
void dax_device_umount(struct pmem_region *r);

/* devdax.c; d->lock held. -EBUSY: the region is mapped as a device, and by how many. */
int devdax_refuse_mapped(const struct dax_device *d);
/* -EBUSY, by name, while somebody holds a page of the region. */
int devdax_check_held(struct pmem_region *r);
/* The region gets its records as a file system wants them; nobody maps or mounts it. -EBUSY: a page
 * is held; pmem_rebind()'s errors. */
int devdax_bind_for_fs(struct pmem_region *r);

/* A region on its way out. */
struct leaving {
	enum pmem_state from; /* where it goes back to if it is refused */
};
/* Steps to LEAVING, which is the caller's: nobody mounts or maps it. -EBUSY: somebody does (named;
 * with `wait` a mapping is no reason), or a page of a device is held, or somebody else binds or
 * unbinds it; -ENODEV: it is not there. Sleepable. */
int dax_device_leave(struct pmem_region *region, bool wait, struct leaving *l);
/* `pmem mode`, under the device's lock (mode.c). */
int dax_device_set_mode(struct pmem_region *r, uint32_t align, bool force);
/* devdax_remove.c: of a region that is LEAVING and mapped as a device: when it returns, no fault is
 * served any more, and nothing is mapped. -ENOMEM, with a sentence, -EINTR: all is as before, but
 * for leases that were told. Sleeps; woken by: the end of faults that run, the end of the last
 * lease. */
int devdax_remove(struct pmem_region *region);
/* The region was marked as killed: when this returns no fault is on its way that had not seen it.
 * -ENOMEM, with a sentence. Sleeps; woken by: the end of those faults. */
int devdax_killed(struct pmem_region *region);

#endif
