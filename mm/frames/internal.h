/* SPDX-License-Identifier: MIT */
/* RAM as mm/ alone deals with it: the boot, failures for tests, the debug build. */
#ifndef MM_FRAMES_INTERNAL_H
#define MM_FRAMES_INTERNAL_H

#include "mm/mm.h"

struct span {
	uint64_t start, end;
};

/* ---- frames.c, kvirt.c, init.c */
uint64_t frames_maps_size(uint64_t pfns);
void frames_init(uint64_t pfns, void *maps, uint64_t total);
void frames_init_done(void);
void frames_add(const struct boot_info *bi, uint64_t low, uint64_t high, const struct span *holes,
		unsigned nr_holes);
bool ram_overlaps(uint64_t start, uint64_t end); /* bytes; of the boot map */
/* fail_alloc.c: is this allocation the one that a test wants to fail? */
/* Behind alloc_fail_nth(), until the next one: the allocations of this thread count, too. */
void alloc_fail_also(struct thread *t);
extern struct thread *alloc_fail_thread; /* NULL: nobody asked for a failure */
bool alloc_fails_now(void);
static inline bool alloc_fails(void)
{
	return unlikely(__atomic_load_n(&alloc_fail_thread, __ATOMIC_RELAXED) != NULL) &&
	       alloc_fails_now();
}
uint64_t mmio_next(void);   /* where the next device registers will be mapped */
void *stack_make(void);	    /* a new stack, spare ones or not; NULL: no memory */
uint64_t stacks_made(void); /* slots of stacks that were ever taken */

/* zero.c: where the shared zeroes of this level (1 or 2) are, made if need be; 0: no memory. */
uint64_t zero_frames(unsigned level);

/*
 * Frames and slabs in the debug build (kernel/lib/lib.h); in the plain one nothing.
 *
 * A frame that was freed is poisoned and waits in a queue, counted as free; when it is handed out
 * again the poison must still be there. The first bytes of a free block are the allocator's own and
 * are not looked at. A frame has no room for red zones: a store over its end is found if the next
 * frame is free.
 *
 * A slab object has a red zone behind it and, behind that, its past. Freed, it is poisoned and
 * comes to the end of its frame's list.
 */

#if DEBUG_BUILD
uint64_t frame_debug_size(uint64_t pfns); /* bytes for the past of that many frames */
void frame_debug_init(void *room);
void frame_debug_alloc(uint64_t pfn, unsigned order);
/* The block is free now: poison and queue. The frame allocator's lock held. */
void frame_debug_free(uint64_t pfn, unsigned order);
/* The block at the front of the queue leaves it, if the queue is too long, or `all` are to leave.
 * The same lock held. */
bool frame_debug_oldest(bool all, uint64_t *pfn, unsigned *order);
void frame_debug_say(void); /* what was found with the lock held. No lock */
void frames_end_rest(void); /* frames.c: empties the queue, looking at everything. No lock */
/* It is freed a second time; true: that was said, and the caller goes on. */
bool frame_debug_twice(uint64_t pfn);

uint32_t slab_step(const struct slab_cache *c);
void slab_debug_new(const struct slab_cache *c, void *obj);
void slab_debug_alloc(const struct slab_cache *c, void *obj);
bool slab_debug_free(const struct slab_cache *c, void *obj); /* false: said; it stays as it is */
/* Who allocated and freed this object. */
void slab_debug_tell(const struct slab_cache *c, void *obj, struct mem_report *r);
/* The same of the object that r->at is in or beside; false: that is in no slab. slab.c */
bool slab_find(struct mem_report *r);
/* The frame of this chain of free objects goes. c->lock held. */
void slab_debug_gone(const struct slab_cache *c, void *chain);
#else
static inline void frames_end_rest(void)
{
}
static inline uint64_t frame_debug_size(uint64_t pfns)
{
	(void)pfns;
	return 0;
}
static inline void frame_debug_init(void *room)
{
	(void)room;
}
static inline void frame_debug_alloc(uint64_t pfn, unsigned order)
{
	(void)pfn, (void)order;
}
static inline void frame_debug_free(uint64_t pfn, unsigned order)
{
	(void)pfn, (void)order;
}
static inline bool frame_debug_oldest(bool all, uint64_t *pfn, unsigned *order)
{
	(void)all, (void)pfn, (void)order;
	return false;
}
static inline void frame_debug_say(void)
{
}
static inline bool frame_debug_twice(uint64_t pfn)
{
	(void)pfn;
	return false;
}
static inline uint32_t slab_step(const struct slab_cache *c)
{
	return ALIGN_UP(c->size, 16);
}
static inline void slab_debug_new(const struct slab_cache *c, void *obj)
{
	(void)c, (void)obj;
}
static inline void slab_debug_alloc(const struct slab_cache *c, void *obj)
{
	(void)c, (void)obj;
}
static inline bool slab_debug_free(const struct slab_cache *c, void *obj)
{
	(void)c, (void)obj;
	return true;
}
static inline void slab_debug_gone(const struct slab_cache *c, void *chain)
{
	(void)c, (void)chain;
}
#endif

#endif
