/* SPDX-License-Identifier: MIT */
/* A region as a whole: mapped as a device, unbound, taken away. Included by dax.h. */
#ifndef DAX_DEVICE_DEVICE_H
#define DAX_DEVICE_DEVICE_H

/* ---- whole regions (devdax.c) ------------------------------------------------------------- */
#define DEVDAX_ALL UINT64_MAX
/*
 * Maps [off, off + len) of a region (DEVDAX_ALL: to its end) with pages of `align` bytes: 4 KiB, 2
 * MiB or 1 GiB. Offset 0 is the first multiple of `align` in the region. flags: VM_*, with
 * VM_SHARED; *addr 0: anywhere. -EINVAL (size, alignment, private, no such page), -EBUSY (mounted,
 * mapped with another size, a page is held; named), -EROFS, -ENODEV (not bound, killed), -ENOMEM;
 * the sentence is in refusal(). Sleepable.
 */
int devdax_mmap(struct mm *mm, struct pmem_region *r, uint64_t align, uint64_t off, uint64_t len,
		unsigned flags, uint64_t *addr);
bool devdax_is_mapped(struct pmem_region *r); /* by anybody, just now. Any context */

/* ---- the end (unbind.c) */

/*
 * Unbinds a region that is neither mounted nor mapped (unbind.c). Pages that are still held are
 * treated as the lifetime of its last mount has it: most wait, uninterruptibly, as a driver's
 * removal does; an era that would forget them refuses (-EBUSY, holders named), where Linux went on;
 * busy-extent refuses, too, or waits if told to (-EINTR: a signal; the region stays bound). One
 * that is mapped as a device is refused, too; told to wait, it leaves all the same: its mappings
 * go, faults in them fail, and its pins are waited for, uninterruptibly (devdax_remove.c).
 * Sleepable.
 */
int dax_unbind(struct pmem_region *region, bool wait);
/*
 * The driver takes the region away, though it is mounted: a removal that nobody can refuse, as when
 * a device is pulled out. First what the era of its mount does (7.3: files that nobody has open are
 * evicted, which waits for holders of their pages), then memunmap_pages(). Nobody may unmount
 * meanwhile. Sleeps, uninterruptibly; woken by: the last put.
 */
void dax_remove_device(struct pmem_region *region);

#endif
