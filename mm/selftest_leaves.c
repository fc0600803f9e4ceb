/* SPDX-License-Identifier: MIT */
/*
 * What a self-test can leave behind of this floor (kernel/selftest/selftest_leaks.c).
 *
 * RAM that grows lazily is no leak: the C heap keeps what malloc() got, page tables of the kernel
 * and frames of records stay until their device goes. So frames are counted without those. Bytes of
 * the heap are not counted: what tests keep there on purpose has no bound of its own.
 */
#include "mm/mm.h"

/* ---- pages held */

struct held {
	uint32_t rest;
	bool put; /* give back what is above rest */
	int64_t pages;
};

static int look_at(struct page *p, void *arg)
{
	struct held *h = arg;
	uint32_t refs = page_refs(p);

	if (refs <= h->rest)
		return 0;
	h->pages++;
	if (h->put)
		page_put_record(p, refs - h->rest);
	return 0;
}

static int look_through(struct pgmap *pgmap, void *arg)
{
	struct held *h = arg;

	/* At rest 0 whatever is in use holds the device: without such there is nothing to find. */
	if (!pgmap->rest && percpu_ref_sum(&pgmap->ref) == 1)
		return 0;
	h->rest = pgmap->rest;
	for (unsigned i = 0; i < pgmap->nr_range; i++)
		page_records_for_each(pgmap->range[i].start,
				      pgmap->range[i].end - pgmap->range[i].start, look_at, h);
	return 0;
}

static int64_t pages_held(void)
{
	struct held h = {0, false, 0};

	pgmap_for_each(look_through, &h);
	return h.pages;
}

/* Whose references they are nobody knows. If there were none before, all are the test's. */
static void put_pages(int64_t before)
{
	struct held h = {0, true, 0};

	if (!before)
		pgmap_for_each(look_through, &h);
}
SELFTEST_LEAVES(pages, "page(s) of a device held", LEAVES_PAGES, pages_held, put_pages);
SELFTEST_LEAVES(anon, "anonymous page(s)", LEAVES_LAST, anon_pages, NULL);

static int count_listeners(struct pgmap *pgmap, void *arg)
{
	*(int64_t *)arg += __atomic_load_n(&pgmap->listeners, __ATOMIC_RELAXED);
	return 0;
}

static int64_t listeners(void)
{
	int64_t n = 0;

	pgmap_for_each(count_listeners, &n);
	return n;
}
SELFTEST_LEAVES(listeners, "listener(s) for a put", LEAVES_LAST, listeners, NULL);

/* ---- address spaces */

static int64_t mappings(void)
{
	return mm_vma_count();
}

static void unmap_all(int64_t before)
{
	if (!before && current_mm())
		mm_unmap(current_mm(), USER_START, USER_END - USER_START);
}
SELFTEST_LEAVES(mappings, "mapping(s)", LEAVES_MAPPINGS, mappings, unmap_all);

static int count_mm(struct mm *mm, void *arg)
{
	(void)mm;
	*(int64_t *)arg += 1;
	return 0;
}

static int64_t address_spaces(void)
{
	int64_t n = 0;

	mm_for_each(count_mm, &n);
	return n;
}
SELFTEST_LEAVES(mms, "address space(s)", LEAVES_LAST, address_spaces, NULL);

/* ---- memory */

/* Those of mappings and address spaces have names of their own. */
static int64_t objects(void)
{
	return (int64_t)slab_objects() - mappings() - address_spaces();
}
SELFTEST_LEAVES(slabs, "slab object(s)", LEAVES_LAST, objects, NULL);

static int64_t frames(void)
{
	struct frame_stats s = frame_stats();
	uint64_t kept = heap_frames() + page_table_frames() + stack_ram() + slab_frames() +
			frames_lasting() + __atomic_load_n(&record_frames, __ATOMIC_RELAXED) +
			(zero_bytes(1) + zero_bytes(2)) / PAGE_SIZE;

	return (int64_t)(s.total - s.free - kept);
}
SELFTEST_LEAVES(frames, "frame(s) of RAM", LEAVES_LAST, frames, NULL);
