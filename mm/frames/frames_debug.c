/* SPDX-License-Identifier: MIT */
/*
 * Frames of the debug build: their past, the poison and the queue of what was freed; see
 * internal.h.
 */
#include "mm/frames/internal.h"

#if DEBUG_BUILD

#define OWN	  16u	/* first bytes of a free block: the allocator's links */
#define MAX_QUEUE 1024u /* blocks; a power of two */
#define MAX_PAGES 2048u /* of RAM: 8 MiB */

struct past {
	struct mem_site allocated, freed;
	bool poisoned; /* it was freed, and holds poison since */
};

/* All under the frame allocator's lock, but for the past of a block that is handed out. */
static struct past *pasts;
static struct {
	uint64_t pfn;
	unsigned order;
} queue[MAX_QUEUE];
static unsigned head, tail; /* equal means empty */
static uint64_t queued_pages;
static struct mem_report found; /* with the lock held; said later */
static bool is_found;

#if SHADOW_BUILD
static uint64_t nr_pasts;

/* For the sanitizer: whose is the byte that it complains of? */
static void find_past(struct mem_report *r)
{
	uint64_t pfn = (r->at - DIRECT_BASE) >> PAGE_SHIFT;

	if (pfn >= nr_pasts || slab_find(r))
		return;
	r->allocated = pasts[pfn].allocated;
	if (pasts[pfn].poisoned)
		r->freed = pasts[pfn].freed;
}
#endif

uint64_t frame_debug_size(uint64_t pfns)
{
#if SHADOW_BUILD
	nr_pasts = pfns;
	mem_find_above = find_past;
#endif
	return ALIGN_UP(pfns * sizeof(struct past), PAGE_SIZE);
}

void frame_debug_init(void *room)
{
	pasts = room;
}

/* Is the poison of this block still whole, `skip` bytes of each frame aside? */
static bool whole(uint64_t pfn, unsigned order, unsigned skip, struct mem_report *r)
{
	for (uint64_t end = pfn + (1ull << order); pfn < end; pfn++) {
		const uint8_t *bytes = phys_to_virt(pfn << PAGE_SHIFT), *at;

		if (!pasts[pfn].poisoned)
			continue;
		at = mem_other_than(bytes + skip, MEM_POISON, PAGE_SIZE - skip);
		if (!at)
			continue;
		*r = (struct mem_report){.fault = MEM_AFTER_FREE,
					 .what = "frame",
					 .addr = (uintptr_t)bytes,
					 .size = PAGE_SIZE,
					 .at = (uintptr_t)at,
					 .allocated = pasts[pfn].allocated,
					 .freed = pasts[pfn].freed};
		return false;
	}
	return true;
}

void frame_debug_alloc(uint64_t pfn, unsigned order)
{
	struct mem_report r;

	if (!whole(pfn, order, OWN, &r))
		mem_fault(&r);
	for (uint64_t end = pfn + (1ull << order); pfn < end; pfn++) {
		pasts[pfn].poisoned = false;
		mem_note(&pasts[pfn].allocated, (uintptr_t)__builtin_frame_address(0));
		mem_open(phys_to_virt(pfn << PAGE_SHIFT), PAGE_SIZE);
	}
}

void frame_debug_free(uint64_t pfn, unsigned order)
{
	memset(phys_to_virt(pfn << PAGE_SHIFT), MEM_POISON, PAGE_SIZE << order);
	mem_close(phys_to_virt(pfn << PAGE_SHIFT), PAGE_SIZE << order, MEM_POISON);
	for (uint64_t p = pfn; p < pfn + (1ull << order); p++) {
		pasts[p].poisoned = true;
		mem_note(&pasts[p].freed, (uintptr_t)__builtin_frame_address(0));
	}
	queue[head % MAX_QUEUE].pfn = pfn;
	queue[head++ % MAX_QUEUE].order = order;
	queued_pages += 1ull << order;
}

bool frame_debug_oldest(bool all, uint64_t *pfn, unsigned *order)
{
	if (head == tail || (!all && head - tail < MAX_QUEUE && queued_pages <= MAX_PAGES))
		return false;
	*pfn = queue[tail % MAX_QUEUE].pfn;
	*order = queue[tail++ % MAX_QUEUE].order;
	queued_pages -= 1ull << *order;
	if (!is_found && !whole(*pfn, *order, 0, &found))
		is_found = true;
	return true;
}

void frame_debug_say(void)
{
	if (__atomic_load_n(&is_found, __ATOMIC_ACQUIRE)) {
		is_found = false;
		mem_fault(&found);
	}
}

bool frame_debug_twice(uint64_t pfn)
{
	struct mem_report r = {.fault = pasts[pfn].poisoned ? MEM_FREED_TWICE : MEM_NEVER_GIVEN,
			       .what = "frame",
			       .addr = (uintptr_t)phys_to_virt(pfn << PAGE_SHIFT),
			       .size = PAGE_SIZE,
			       .allocated = pasts[pfn].allocated,
			       .freed = pasts[pfn].freed};

	mem_fault(&r);
	return true;
}

#endif
