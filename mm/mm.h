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

/* The map of kernel virtual memory. Below USER_END: the running thread's own address space. */
#define USER_START  0x0000000000010000ull
#define USER_MMAP   0x0000010000000000ull /* where mm_map() starts to look for room */
#define USER_END    0x0000800000000000ull
#define DIRECT_BASE 0xffff800000000000ull /* physical memory, one to one */
/* Page records: 0xffffe00000000000 – 0xffffe10000000000, see record.h */
#define KVIRT_BASE    0xfffff00000000000ull /* stacks with guard pages, device registers, heap */
#define MAX_PHYS_BITS 46		    /* what the direct map and the record window hold */

static inline __attribute__((returns_nonnull)) void *phys_to_virt(uint64_t phys)
{
	return (void *)(DIRECT_BASE + phys);
}
/* Of an address in the direct map or in the kernel image. */
uint64_t virt_to_phys(const void *p);

/* ---- frames.c: RAM ------------------------------------------------------------------------- */

#define FRAME_MAX_ORDER 10 /* 4 MiB */

/* 2^order frames, aligned to their size, contents undefined; 0: none left. Any context. */
uint64_t frame_alloc(unsigned order);
uint64_t frame_alloc_zero(void); /* one frame of zeroes; 0: none left */
/* Gives back what frame_alloc() gave, whole or in parts. What the frames hold does not matter. */
void frame_free(uint64_t phys, unsigned order);
/* By the allocator's books: are all frames of the block handed out? Any context. */
bool frame_is_out(uint64_t phys, unsigned order);
/*
 * Fault injection for tests: the nth allocation from now on (1: the next) of a frame, a slab object
 * or C heap bytes by the calling thread fails, once. 0: none will. Those of other threads are not
 * counted.
 */
void alloc_fail_nth(uint64_t nth);
/* Allocations counted since alloc_fail_nth(); whether one was made to fail is in *failed. */
uint64_t alloc_fail_count(bool *failed);
/* Bytes that the calling thread took from the C heap, less what it gave back, between the two
 * calls; one thread at a time. Zero means: what it took it gave back. */
void heap_watch(void);
int64_t heap_unwatch(void);
uint64_t heap_frames(void); /* RAM of the C heap, which only grows (kvirt.c) */
struct frame_stats {
	uint64_t total, free; /* in frames; free == total means nothing was ever allocated */
	uint64_t reserved;    /* kernel image, boot data, allocator's own maps */
};
struct frame_stats frame_stats(void);

/* ---- slab.c: small objects of one size ------------------------------------------------------ */

struct slab_cache {
	const char *name;
	uint32_t size;	 /* bytes per object, at most 2048 */
	uint32_t in_use; /* objects handed out; zero means the cache holds no memory in use */
	struct spinlock lock;
	struct slab_page *partial;
	bool listed;		 /* lock; among all caches since its first frame */
	struct slab_cache *next; /* all caches, for reports */
};
#define SLAB_CACHE_INIT(n, s)                                                                      \
	{                                                                                          \
		.name = n, .size = s, .lock = SPINLOCK_INIT(n)                                     \
	}
void *slab_alloc(struct slab_cache *c); /* zeroed; NULL: no memory. Any context */
void slab_free(struct slab_cache *c, void *p);
uint64_t slab_objects(void); /* handed out by all caches; exact only while nobody allocates */
uint64_t slab_frames(void);  /* RAM that they are cut from */

/* ---- pagetable.c: 4-level tables ------------------------------------------------------------ */

#define PTE_P	     (1ul << 0)
#define PTE_W	     (1ul << 1)
#define PTE_PCD	     (1ul << 4)
#define PTE_A	     (1ul << 5)
#define PTE_D	     (1ul << 6)
#define PTE_PS	     (1ul << 7)
#define PTE_G	     (1ul << 8)
#define PTE_DEVMAP   (1ul << 9)	 /* software: the pfn has a page record (Linux's name) */
#define PTE_SPECIAL  (1ul << 10) /* software: no record; gup refuses it */
#define PTE_HEAD     (1ul << 11) /* software: page_head() of the page counts this entry */
#define PTE_COMPOUND (1ul << 58) /* software: a compound's page, which has a name and no record */
#define PTE_OWN	     (1ul << 57) /* software: an anonymous page that no other entry shows */
#define PTE_SLOW     (1ul << 56) /* software: left to slow gup (VM_SLOWGUP; anonymous, not PTE_OWN) */
#define PTE_SINGLE   (1ul << 55) /* software, of a head's frame of records: see folio.c */
#define PTE_NX	     (1ul << 63)
#define PTE_PHYS     0x000ffffffffff000ul

/* Level 1 = 4K entries, 2 = 2M (PMD), 3 = 1G (PUD), 4 = PML4. */
/*
 * Pointer to the level-`level` entry for va under the root table at physical `root`; NULL if a
 * table above is absent or the address is mapped by a larger page; *at, if not NULL, is the level
 * where it stopped. `make` builds absent tables; NULL then means no memory. Tables are installed by
 * compare-exchange, so two makers need no lock between them.
 */
uint64_t *pte_walk(uint64_t root, uint64_t va, unsigned level, bool make, unsigned *at);
extern uint64_t kernel_root; /* physical address of the kernel's PML4 */
/* Maps [va, va+len) to phys with the largest pages that alignment and `max_level` allow. -ENOMEM.
 */
int kernel_map(uint64_t va, uint64_t phys, uint64_t len, uint64_t prot, unsigned max_level);
/* Unmaps and flushes every CPU's TLB (global entries too). Value: how many 4K frames were mapped;
 * `free_frames`: they are given back as well. Interrupts on, no spinlock held. */
uint64_t kernel_unmap(uint64_t va, uint64_t len, bool free_frames);
bool kernel_is_mapped(uint64_t va, uint64_t len); /* any of it */
void *map_mmio(uint64_t phys, uint64_t len);	  /* uncached; for ever */
bool mmio_overlaps(uint64_t start, uint64_t end); /* with what map_mmio() was given */
uint64_t page_table_frames(void); /* frames in use as page tables, all address spaces */

/* ---- kvirt.c: kernel virtual ranges --------------------------------------------------------- */
/* A stack of `bytes` (pages) above an unmapped guard page; NULL: no memory. */
void *stack_alloc(void);
void stack_free(void *stack);
uint64_t stack_ram(void); /* RAM of all stacks; those of ended threads are kept for new ones */
/* "guard page of a stack" and the like for an address in kernel space; NULL: nothing known. */
const char *kernel_address_name(uint64_t va);

/* ---- page.h: records; memremap.h: device memory; space.h, anon.h: address spaces; gup.h ----- */
#include "mm/page/page.h"
#include "mm/device/memremap.h"
#include "mm/space/space.h"
#include "mm/space/anon.h"
#include "mm/gup/gup.h"

#endif
