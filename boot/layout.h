/* SPDX-License-Identifier: MIT */
/*
 * The map of virtual memory: where each window begins, in one place.
 *
 * Two homes have a map each. On a machine of its own the kernel has the upper half of all
 * addresses; in boot/host/, on Linux, it has what Linux gives. What the floors above rely on is the
 * same in both: the windows lie in this order, each begins where an entry of a top-level table
 * does, USER_END is a power of two, and DIRECT_BASE has no bit in common with a frame's address.
 */
#ifndef BOOT_LAYOUT_H
#define BOOT_LAYOUT_H

#include <stdint.h>

/* For code that is linked into both homes: what the rest has as constants (map.c). */
extern const struct address_map {
	uint64_t user_start, user_mmap, user_end, direct_base, record_base, compound_base;
	uint64_t compound_end, kvirt_base, kernel_base;
	unsigned max_phys_bits;
} address_map;

#ifdef ANY_HOME
#define USER_START	   address_map.user_start
#define USER_MMAP	   address_map.user_mmap
#define USER_END	   address_map.user_end
#define DIRECT_BASE	   address_map.direct_base
#define MAX_PHYS_BITS	   address_map.max_phys_bits
#define RECORD_BASE	   address_map.record_base
#define COMPOUND_BASE	   address_map.compound_base
#define COMPOUND_END	   address_map.compound_end
#define KVIRT_BASE	   address_map.kvirt_base
#define KERNEL_BASE	   address_map.kernel_base
#define IN_KERNEL_HALF(va) ((uint64_t)(va) >= USER_END)
#elif defined(HOST_HOME)
#include "boot/host/layout.h"
#else

/* Below USER_END: the running thread's own address space. */
#define USER_START 0x0000000000010000ull
#define USER_MMAP  0x0000010000000000ull /* where mm_map() starts to look for room */
#define USER_END   0x0000800000000000ull

#define DIRECT_BASE   0xffff800000000000ull /* physical memory, one to one */
#define MAX_PHYS_BITS 46		    /* what the direct map and the record window hold */

/* Page records: see mm/page/page.h. */
#define RECORD_BASE   0xffffe00000000000ull
#define COMPOUND_BASE 0xffffe08000000000ull /* right behind the first window */
#define COMPOUND_END  0xffffe10000000000ull

#define KVIRT_BASE	   0xfffff00000000000ull /* stacks with guard pages, device registers, heap */

/* Where the kernel image is linked: physical 0 appears here during boot. */
#define KERNEL_BASE	   0xffffffff80000000ull

/* Is it an address of the kernel's, not of an address space? */
#define IN_KERNEL_HALF(va) ((int64_t)(va) < 0)

#endif

/* Entries of a top-level table that are an address space's own; the others are the kernel's. */
#define USER_SLOTS (USER_END >> 39)

#endif
