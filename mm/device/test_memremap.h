/* SPDX-License-Identifier: MIT */
/*
 * What the self-tests of memremap share: device memory to try things on.
 *
 * Binding and records touch no byte of the device, so most tests use physical addresses where
 * nothing is (`fake`). Where a device's own bytes matter, a test stands in tests/kernel, whose
 * scratch device it takes.
 */
#ifndef MM_DEVICE_TEST_MEMREMAP_H
#define MM_DEVICE_TEST_MEMREMAP_H

#include "mm/device/pgmap.h"
#include "kernel/sched/sched.h"

/* FS_DAX, rest 1, one range of `mib` MiB at `offset_mib` MiB of 16 GiB near the top of what the CPU
 * can name, where nothing is; not bound. */
struct pgmap fake_pgmap(int64_t offset_mib, uint64_t mib);
/* The same as GENERIC with compound records. */
struct pgmap fake_compound(int64_t offset_mib, uint64_t mib, unsigned shift);
/* A bound one of 2 MiB, with records at its start of which the first is *page. 0 or errno. */
int fake_bound(struct pgmap *p, uint32_t rest, const struct pgmap_ops *ops, struct page **page);
/* Frames that are free or hold page tables: tables of the kernel's half stay for the next time. */
uint64_t frames_kept(void);
/* A thread that is in memunmap_pages(). */
struct thread *start_unmap(struct pgmap *pgmap);

#endif
