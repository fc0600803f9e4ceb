/* SPDX-License-Identifier: MIT */
/* RAM: frames, small objects, the kernel's own virtual ranges. Included by mm.h. */
#ifndef MM_FRAMES_FRAMES_H
#define MM_FRAMES_FRAMES_H

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
 * counted, but for one that alloc_fail_also() (internal.h) names behind it.
 */
void alloc_fail_nth(uint64_t nth);
/* Allocations counted since alloc_fail_nth(); whether one was made to fail is in *failed. */
uint64_t alloc_fail_count(bool *failed);
/* Bytes that the calling thread took from the C heap, less what it gave back, between the two
 * calls; one thread at a time. Zero means: what it took it gave back. */
void heap_watch(void);
int64_t heap_unwatch(void);
uint64_t heap_frames(void); /* RAM of the C heap, which only grows (kvirt.c) */
/* Frames that a driver's tables took (change > 0) or gave back, and that stay as long as the tables
 * do: a test which makes such tables grow leaves nothing behind. Any context. */
void frames_lasting_add(int64_t change);
uint64_t frames_lasting(void); /* zero: no driver keeps any */
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

/* ---- kvirt.c: kernel virtual ranges --------------------------------------------------------- */
#define HEAP_SIZE (64 * GIB) /* of addresses, from KVIRT_BASE on */
/* A stack of `bytes` (pages) above an unmapped guard page; NULL: no memory. */
void *stack_alloc(void);
void stack_free(void *stack);
uint64_t stack_ram(void); /* RAM of all stacks; those of ended threads are kept for new ones */
/* "guard page of a stack" and the like for an address in kernel space; NULL: nothing known. */
const char *kernel_address_name(uint64_t va);

#endif
