/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator: a binary buddy system over the RAM that boot found.
 *
 * A free block of 2^order frames is linked into free_list[order] through its own first bytes. For
 * every pair of buddies of an order one bit says "exactly one of the two is free"; it flips at each
 * allocation and at each free, and when a free flips it to zero both halves are free and merge.
 *
 * Which frames are out is in a map of its own, a bit each, and that map alone says whether a block
 * may be freed. What stands in a block that comes back was written by its user, or by a device on
 * its behalf, and so it tells nothing.
 *
 * Nothing is touched at boot: RAM waits in `pending` as ranges, and a block of up to 4 MiB is cut
 * from there when the lists have none that is large enough. So RAM that is never needed is never
 * written, and a machine with much of it starts as fast as one with little.
 */
#include "mm/frames/internal.h"

struct free_block {
	LIST_ENTRY(free_block) link;
};
LIST_HEAD(free_head, free_block);

static struct spinlock frame_lock = SPINLOCK_INIT("frames");
static struct free_head free_list[FRAME_MAX_ORDER + 1];
static uint64_t *pair_bits[FRAME_MAX_ORDER + 1];
static uint64_t *out_bits;			 /* a set bit: this frame is handed out */
static uint64_t max_pfn;			 /* one past the last RAM frame */
static struct span pending[BOOT_MAX_RANGES + 4]; /* free RAM that was never touched, not empty */
static unsigned nr_pending;
static struct frame_stats stats;

static bool flip_pair(uint64_t pfn, unsigned order)
{
	uint64_t bit = pfn >> (order + 1);
	uint64_t mask = 1ull << (bit & 63);

	return (pair_bits[order][bit >> 6] ^= mask) & mask;
}

/* The bits of the block, of the word where they begin: all that it has there. */
static uint64_t out_mask(uint64_t pfn, unsigned order)
{
	return order < 6 ? ((1ull << (1u << order)) - 1) << (pfn & 63) : ~0ull;
}

/* Are all frames of the block handed out? frame_lock held. */
static bool all_out(uint64_t pfn, unsigned order)
{
	const uint64_t mask = out_mask(pfn, order);

	for (uint64_t w = pfn >> 6; w <= (pfn + (1ull << order) - 1) >> 6; w++)
		if ((out_bits[w] & mask) != mask)
			return false;
	return true;
}

/* From in to out, or back. frame_lock held. */
static void flip_out(uint64_t pfn, unsigned order)
{
	const uint64_t mask = out_mask(pfn, order);

	for (uint64_t w = pfn >> 6; w <= (pfn + (1ull << order) - 1) >> 6; w++)
		out_bits[w] ^= mask;
}

static void list_insert(uint64_t pfn, unsigned order)
{
	struct free_block *b = phys_to_virt(pfn << PAGE_SHIFT);

	LIST_INSERT_HEAD(&free_list[order], b, link);
}

static uint64_t list_take(struct free_block *b)
{
	LIST_REMOVE(b, link);
	return virt_to_phys(b) >> PAGE_SHIFT;
}

/* Links the block in, merging with its buddy as long as that is free and whole. frame_lock held. */
static void merge_in(uint64_t pfn, unsigned order)
{
	while (order < FRAME_MAX_ORDER && !flip_pair(pfn, order)) {
		uint64_t buddy = pfn ^ (1ull << order);

		list_take(phys_to_virt(buddy << PAGE_SHIFT));
		pfn &= ~(1ull << order);
		order++;
	}
	list_insert(pfn, order);
}

/* frames_debug.c: what was freed waits in quarantine for a while. False: the queue is empty.
 * frame_lock held. */
static bool quarantine_end(bool all)
{
	uint64_t pfn;
	unsigned order;

	if (!DEBUG_BUILD || !frame_debug_oldest(all, &pfn, &order))
		return false;
	merge_in(pfn, order);
	return true;
}

/* Moves the next block from the pending ranges to the lists. False: none is left. frame_lock held.
 */
static bool refill(void)
{
	struct span *s = &pending[nr_pending - 1];
	unsigned order = FRAME_MAX_ORDER;

	if (!nr_pending)
		return false;
	while (!IS_ALIGNED(s->start, PAGE_SIZE << order) ||
	       s->start + (PAGE_SIZE << order) > s->end)
		order--;
	merge_in(s->start >> PAGE_SHIFT, order);
	s->start += PAGE_SIZE << order;
	if (s->start == s->end)
		nr_pending--;
	return true;
}

uint64_t frame_alloc(unsigned order)
{
	uint64_t flags, pfn = 0;
	unsigned o;

	if (alloc_fails())
		return 0;
	flags = spin_lock_irqsave(&frame_lock);
	do {
		for (o = order; o <= FRAME_MAX_ORDER && LIST_EMPTY(&free_list[o]);)
			o++;
	} while (o > FRAME_MAX_ORDER && (refill() || quarantine_end(true)));
	if (o <= FRAME_MAX_ORDER) {
		pfn = list_take(LIST_FIRST(&free_list[o]));
		if (o < FRAME_MAX_ORDER)
			flip_pair(pfn, o);
		while (o > order) { /* keep the lower half, give the upper one back */
			o--;
			list_insert(pfn + (1ull << o), o);
			flip_pair(pfn, o);
		}
		flip_out(pfn, order);
		stats.free -= 1ull << order;
	}
	spin_unlock_irqrestore(&frame_lock, flags);
	if (DEBUG_BUILD && pfn)
		frame_debug_alloc(pfn, order);
	return pfn << PAGE_SHIFT;
}

uint64_t frame_alloc_zero(void)
{
	uint64_t phys = frame_alloc(0);

	if (phys)
		memset(phys_to_virt(phys), 0, PAGE_SIZE);
	return phys;
}

void frame_free(uint64_t phys, unsigned order)
{
	uint64_t flags;

	ASSERT(IS_ALIGNED(phys, PAGE_SIZE << order) && phys && phys >> PAGE_SHIFT < max_pfn,
	       "freed frame 0x%lx (order %u) must be RAM, aligned to its size", phys, order);
	if (DEBUG_BUILD && !frame_is_out(phys, order) && frame_debug_twice(phys >> PAGE_SHIFT))
		return;
	flags = spin_lock_irqsave(&frame_lock);
	ASSERT(all_out(phys >> PAGE_SHIFT, order),
	       "freed frame 0x%lx (order %u) must be handed out: this one is freed twice", phys,
	       order);
	flip_out(phys >> PAGE_SHIFT, order);
	stats.free += 1ull << order;
	if (DEBUG_BUILD) {
		frame_debug_free(phys >> PAGE_SHIFT, order);
		while (quarantine_end(false))
			;
	} else {
		merge_in(phys >> PAGE_SHIFT, order);
	}
	spin_unlock_irqrestore(&frame_lock, flags);
	if (DEBUG_BUILD)
		frame_debug_say();
}

#if DEBUG_BUILD
void frames_end_rest(void)
{
	uint64_t flags = spin_lock_irqsave(&frame_lock);

	while (quarantine_end(true))
		;
	spin_unlock_irqrestore(&frame_lock, flags);
	frame_debug_say();
}
#endif

bool frame_is_out(uint64_t phys, unsigned order)
{
	uint64_t flags = spin_lock_irqsave(&frame_lock);
	bool out = all_out(phys >> PAGE_SHIFT, order);

	spin_unlock_irqrestore(&frame_lock, flags);
	return out;
}

static uint64_t kept; /* atomic */

void frames_lasting_add(int64_t change)
{
	__atomic_add_fetch(&kept, (uint64_t)change, __ATOMIC_RELAXED);
}

uint64_t frames_lasting(void)
{
	return __atomic_load_n(&kept, __ATOMIC_RELAXED);
}

struct frame_stats frame_stats(void)
{
	uint64_t flags = spin_lock_irqsave(&frame_lock);
	struct frame_stats s = stats;

	spin_unlock_irqrestore(&frame_lock, flags);
	return s;
}

static void add_free(uint64_t start, uint64_t end)
{
	ASSERT(nr_pending < ARRAY_SIZE(pending), "at most %lu ranges of RAM", ARRAY_SIZE(pending));
	pending[nr_pending++] = (struct span){start, end};
	stats.free += (end - start) >> PAGE_SHIFT;
}

/* Adds [start, end) but for what lies in `hole`. */
static void add_around(uint64_t start, uint64_t end, const struct span *hole, unsigned nr)
{
	if (start >= end)
		return;
	if (!nr) {
		add_free(start, end);
		return;
	}
	add_around(start, MIN(end, hole->start), hole + 1, nr - 1);
	add_around(MAX(start, hole->end), end, hole + 1, nr - 1);
}

/* Frames of the RAM ranges inside [low, high) become free, but for the holes. Boot only. */
void frames_add(const struct boot_info *bi, uint64_t low, uint64_t high, const struct span *holes,
		unsigned nr_holes)
{
	for (unsigned i = 0; i < bi->nr_ranges; i++) {
		const struct boot_range *r = &bi->ranges[i];

		if (r->type == BOOT_RAM)
			add_around(MAX(low, ALIGN_UP(r->base, PAGE_SIZE)),
				   MIN(high, ALIGN_DOWN(r->base + r->len, PAGE_SIZE)), holes,
				   nr_holes);
	}
}

static uint64_t map_words(uint64_t pfns, unsigned order)
{
	return (pfns >> (order + 1)) / 64 + 1;
}

static uint64_t out_words(uint64_t pfns)
{
	return pfns / 64 + 1;
}

/* Bytes that the maps take for `pfns` frames. */
uint64_t frames_maps_size(uint64_t pfns)
{
	uint64_t words = out_words(pfns);

	for (unsigned o = 0; o < FRAME_MAX_ORDER; o++)
		words += map_words(pfns, o);
	return ALIGN_UP(words * 8, PAGE_SIZE) + frame_debug_size(pfns);
}

/* Takes `maps` (frames_maps_size() bytes) for the bits. No frame is free yet, and none is out. */
void frames_init(uint64_t pfns, void *maps, uint64_t total)
{
	uint64_t *at = maps;

	memset(maps, 0, frames_maps_size(pfns));
	for (unsigned o = 0; o < FRAME_MAX_ORDER; o++) {
		pair_bits[o] = at;
		at += map_words(pfns, o);
	}
	out_bits = at;
	frame_debug_init((char *)maps + frames_maps_size(pfns) - frame_debug_size(pfns));
	max_pfn = pfns;
	stats = (struct frame_stats){.total = total};
}

/* All RAM was added. What never became free is reserved; page tables were allocated meanwhile. */
void frames_init_done(void)
{
	stats.reserved = stats.total - stats.free - page_table_frames();
}
