/* SPDX-License-Identifier: MIT */
/*
 * The memory floor's public face: frames, kernel mappings, page records, device memory, address
 * spaces, faults, get_user_pages, TLB.
 *
 * Terms. A *frame* is 4 KiB of RAM, named by its physical address. A *pfn* is a physical address
 * divided by 4096, of RAM or of a device. A *page* (struct page) is the 32-byte record of one pfn
 * of device memory: RAM needs none here. A *pgmap* is a device's claim on a range of pfns.
 *
 * Lock order: mmap_lock → (the dax floor's fault lock → entry lock → tree lock) → i_mmap_lock →
 * ptl.
 *
 * A waiter holds no lock that strangers need: memunmap_pages() sleeps for who holds pages, and is
 * called with no global lock held (assert_no_global_lock(), kernel/sync/sync.h).
 */
#ifndef MM_MM_H
#define MM_MM_H

#include "kernel/kernel.h"

/* This floor's boot stage: frames, final page tables, heap, stacks. */
#define INIT_FRAMES INIT_GROUND

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul
#define PMD_SIZE   (2 * MIB)
#define PUD_SIZE   (1 * GIB)

/* The map of virtual memory is in boot/layout.h. */

static inline __attribute__((returns_nonnull)) void *phys_to_virt(uint64_t phys)
{
	return (void *)(DIRECT_BASE + phys);
}
/* Of an address in the direct map or in the kernel image. */
uint64_t virt_to_phys(const void *p);

#include "mm/frames/frames.h"
#include "mm/tables/tables.h"
#include "mm/page/page.h"
#include "mm/device/memremap.h"
#include "mm/space/space.h"
#include "mm/gup/gup.h"
#include "mm/picture/picture.h"

#endif
