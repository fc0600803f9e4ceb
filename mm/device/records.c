/* SPDX-License-Identifier: MIT */
/*
 * Making page records, finding them, giving them back. What they mean is in page.h, where they
 * stand in page.h.
 *
 * A frame of 128 records is built first and installed then, by compare-exchange: of two CPUs that
 * need the same frame one loses and frees its own. With an altmap the frame is a page of the
 * device; those are counted, not kept in lists, so there the pgmap's lock lets one CPU make it.
 * Frames leave all together, when nobody can look at a record any more.
 */
#include "mm/device/internal.h"
#include "mm/frames/internal.h"
#include "mm/tables/internal.h"

MUSEUM_EXPLORED(record_shown_early, "record-shown-early",
		"records can be found before they are filled: a look-up meets one without a pgmap; "
		"found by explore records.populate-two");
MUSEUM(loser_keeps_frame, "loser-keeps-frame",
       "of two CPUs that make the same records the one that comes second keeps its frame; shown by "
       "selftest mm.memremap-populate-loser and explore records.populate-two");
MUSEUM(tables_stay, "record-tables-stay",
       "a device that leaves lets the tables of its records behind; shown by selftest "
       "mm.records-tables-return");
STEP_POINT_DECLARE(record_walk); /* a walker has seen that the record exists, and has not read it */
STEP_POINT_DECLARE(records_unfilled); /* and no entry leads to them */

#define FRAME_RIGHTS (PTE_P | PTE_W | PTE_NX | PTE_G)

uint64_t record_frames, record_frames_of_ram;

static uint64_t pgmap_pfn_to_va(const struct pgmap *pgmap, uint64_t pfn)
{
	return (uint64_t)pgmap_pfn_to_page(pgmap, pfn);
}

/*
 * Records at rest in the frame that will stand at `va`. Those that lie before an altmap's first pfn
 * are left alone: there is no such record, and none of 4 KiB pages lies in a frame, or a folio,
 * with one that exists. (Others beside the range are made, and never found.)
 */
static void frame_fill(struct pgmap *pgmap, uint64_t phys, uint64_t va)
{
	struct page *p = phys_to_virt(phys), *end = p + RECORDS_PER_FRAME;
	const uint64_t rest = pgmap->rest;

	STEP_POINT(records_unfilled);
	/* LAB 02 fill: each record of the frame, at rest */
	if (pgmap_has_altmap(pgmap)) {
		uint64_t first = pgmap_pfn_to_va(pgmap, altmap_first_pfn(&pgmap->altmap));

		if (first > va)
			p += (first - va) / sizeof(*p);
	}
#pragma GCC unroll 8
	for (; p < end; p++) {
		p->state = rest;
		p->mapping = NULL;
		p->index = 0;
		p->pgmap = pgmap;
	}
	/* END */
}

static void count_frame(const struct pgmap *pgmap)
{
	__atomic_fetch_add(&record_frames, 1, __ATOMIC_RELAXED);
	if (pgmap == &ram_pgmap)
		__atomic_fetch_add(&record_frames_of_ram, 1, __ATOMIC_RELAXED);
}

static int populate_ram(struct pgmap *pgmap, uint64_t *pte, uint64_t va)
{
	/* LAB 02 publish: a frame of records for everybody, made by one of those who want it */
	uint64_t none = 0, phys = frame_alloc(0);

	if (!phys)
		return -ENOMEM;
	if (!museum_explored(record_shown_early))
		frame_fill(pgmap, phys, va);
	/* Records before the entry (release), else another CPU reads one that has no pgmap yet. */
	if (__atomic_compare_exchange_n(pte, &none, phys | FRAME_RIGHTS, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		count_frame(pgmap);
	else if (!museum_on(loser_keeps_frame))
		frame_free(phys, 0); /* another CPU was first; its frame is the one */
	if (museum_explored(record_shown_early) && !none)
		frame_fill(pgmap, phys, va);
	return 0;
	/* END */
}

static int populate_altmap(struct pgmap *pgmap, uint64_t *pte, uint64_t va)
{
	uint64_t pfn = 1;

	spin_lock(&pgmap->altmap_lock);
	if (!(__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P)) {
		pfn = altmap_alloc(&pgmap->altmap, 1);
		if (pfn) {
			frame_fill(pgmap, pfn << PAGE_SHIFT, va);
			__atomic_store_n(pte, pfn << PAGE_SHIFT | FRAME_RIGHTS, __ATOMIC_RELEASE);
		}
	}
	spin_unlock(&pgmap->altmap_lock);
	return pfn ? 0 : -ENOMEM;
}

static int frame_populate(struct pgmap *pgmap, uint64_t va)
{
	uint64_t *pte = pte_walk(kernel_root, va, 1, true, NULL);

	if (!pte)
		return -ENOMEM;
	if (__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P)
		return 0;
	return pgmap_has_altmap(pgmap) ? populate_altmap(pgmap, pte, va)
				       : populate_ram(pgmap, pte, va);
}

/* Where page_to_first() of any record in reach leads there is one too. A range of pages that
 * crosses into the next 2 MiB has that one's within its own frames. */
static int frame_populate_head(struct pgmap *pgmap, uint64_t pfn)
{
	if (pgmap->vmemmap_shift)
		return 0;
	return frame_populate(pgmap,
			      ALIGN_DOWN((uint64_t)page_to_first(pfn_to_page(pfn)), PAGE_SIZE));
}

static bool all_in_one_range(const struct pgmap *pgmap, uint64_t pfn, uint64_t nr)
{
	for (unsigned i = 0; i < pgmap->nr_range; i++) {
		const struct pgmap_range *r = &pgmap->range[i];

		if (pfn >= r->start && pfn < r->end)
			return nr <= r->end - pfn && pfn >= pgmap_first_pfn(pgmap, r);
	}
	return false;
}

int page_records_populate(uint64_t pfn, uint64_t nr)
{
	struct pgmap *pgmap = pgmap_get(pfn);
	uint64_t va, last;
	int err = 0;

	if (!pgmap)
		return -ENXIO;
	if (!nr || !all_in_one_range(pgmap, pfn, nr))
		err = nr ? -ENXIO : 0;
	else
		err = frame_populate_head(pgmap, pfn);
	if (nr && !err)
		for (va = ALIGN_DOWN(pgmap_pfn_to_va(pgmap, pfn), PAGE_SIZE),
		    last = pgmap_pfn_to_va(pgmap, pfn + nr - 1);
		     va <= last && !err; va += PAGE_SIZE)
			err = frame_populate(pgmap, va);
	pgmap_put(pgmap);
	return err;
}

int record_populate_ram(struct pgmap *ram, uint64_t pfn)
{
	int err = frame_populate_head(ram, pfn);

	return err ? err : frame_populate(ram, ALIGN_DOWN(pgmap_pfn_to_va(ram, pfn), PAGE_SIZE));
}

bool page_record_exists(const struct page *p)
{
	const uint64_t *pte = pte_leaf(kernel_root, (uint64_t)p);

	return pte && (__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P);
}

static bool exists(uint64_t va)
{
	const uint64_t *pte = pte_walk(kernel_root, va, 1, false, NULL);

	return pte && (__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P);
}

struct page *pgmap_pfn_to_record(const struct pgmap *pgmap, uint64_t pfn)
{
	/* LAB 02 find: the record of a page, if the page is the device's and the record was made */
	struct page *p = pgmap_pfn_to_page(pgmap, pfn);

	return pgmap_pfn_valid(pgmap, pfn) && exists((uint64_t)p) ? p : NULL;
	/* END */
}

/* The walk for `va` ends at *entry, of this level, where nothing is: the first address behind that
 * may be there, in the same table, or the table's end, or behind `end`. */
static uint64_t step_over(uint64_t va, uint64_t end, const uint64_t *entry, unsigned level)
{
	const uint64_t span = level_bytes(level);
	const uint64_t stop = MIN(end, ALIGN_DOWN(va, span * 512) + span * 512);

	va = ALIGN_DOWN(va, span);
	do {
		va += span;
		entry++;
	} while (va < stop && !(__atomic_load_n(entry, __ATOMIC_ACQUIRE) & PTE_P));
	return va;
}

/* The next record of [va, end) that exists: absent tables are stepped over whole, without a walk
 * from the root for each. */
static uint64_t next_record(uint64_t va, uint64_t end)
{
	while (va < end) {
		unsigned level;
		const uint64_t *entry = pte_lowest(kernel_root, va, &level);

		if (level == 1 && (__atomic_load_n(entry, __ATOMIC_ACQUIRE) & PTE_P))
			break;
		va = step_over(va, end, entry, level);
	}
	return MIN(va, end);
}

struct page *page_record_next(const struct page *p, const struct page *end)
{
	return (struct page *)next_record((uint64_t)p, (uint64_t)end);
}

int records_for_each(const struct pgmap *pgmap, uint64_t pfn, uint64_t nr,
		     int (*fn)(struct page *, void *), void *arg)
{
	uint64_t first = pgmap_has_altmap(pgmap) ? MAX(pfn, altmap_first_pfn(&pgmap->altmap)) : pfn;
	uint64_t va, end;
	int ret = 0;

	if (first >= pfn + nr)
		return 0;
	va = pgmap_pfn_to_va(pgmap, first);
	end = pgmap_pfn_to_va(pgmap, pfn + nr - 1) + sizeof(struct page);
	while (!ret && (va = next_record(va, end)) < end) {
		uint64_t stop = MIN(end, ALIGN_DOWN(va, PAGE_SIZE) + PAGE_SIZE);

		STEP_POINT(record_walk);
		for (; va < stop && !ret; va += sizeof(struct page))
			ret = fn((struct page *)va, arg);
	}
	return ret;
}

/* Has nobody else a record for these pages? pgmap_table_lock held. */
static bool nobody_else(const struct pgmap *pgmap, uint64_t pfn, uint64_t end)
{
	while (pfn < end) {
		const struct range_entry *r = range_find(pgmap_table(), pfn, end);

		if (!r)
			return !ram_overlaps(pfn << PAGE_SHIFT, end << PAGE_SHIFT);
		if (r->owner != pgmap ||
		    (r->start > pfn && ram_overlaps(pfn << PAGE_SHIFT, r->start << PAGE_SHIFT)))
			return false;
		pfn = r->end;
	}
	return true;
}

/*
 * The tables that named the frames of a range go, too: who looks for a record of the next device
 * there would look through all their entries. A table that the range has a part of goes if the rest
 * of it is nobody's; with compounds it is not asked, as their records lie elsewhere.
 * pgmap_table_lock held: nobody comes meanwhile.
 */
static void drop_tables(const struct pgmap *pgmap, const struct pgmap_range *r, uint64_t va,
			uint64_t end)
{
	const uint64_t pages = PMD_SIZE / sizeof(struct page); /* whose records a table maps */

	if (!pgmap->vmemmap_shift) {
		if (nobody_else(pgmap, ALIGN_DOWN(r->start, pages), r->start))
			va = ALIGN_DOWN(va, PMD_SIZE);
		if (nobody_else(pgmap, r->end, ALIGN_UP(r->end, pages)))
			end = ALIGN_UP(end, PMD_SIZE);
	}
	kernel_drop_tables(va, end - va);
}

/* The addresses of the records of a range, in whole frames. */
static uint64_t records_begin(const struct pgmap *pgmap, const struct pgmap_range *r)
{
	return ALIGN_DOWN(pgmap_pfn_to_va(pgmap, r->start), PAGE_SIZE);
}

static uint64_t records_end(const struct pgmap *pgmap, const struct pgmap_range *r)
{
	return ALIGN_UP(pgmap_pfn_to_va(pgmap, r->end - 1) + 1, PAGE_SIZE);
}

void records_free(struct pgmap *pgmap)
{
	const bool ram = !pgmap_has_altmap(pgmap);

	for (unsigned i = 0; i < pgmap->nr_range; i++) {
		uint64_t va = records_begin(pgmap, &pgmap->range[i]);
		uint64_t gone = kernel_unmap(va, records_end(pgmap, &pgmap->range[i]) - va, ram);

		if (ram)
			__atomic_fetch_sub(&record_frames, gone, __ATOMIC_RELAXED);
		else
			altmap_free(&pgmap->altmap, gone);
	}
	pgmap_table_lock();
	for (unsigned i = 0; i < pgmap->nr_range && !museum_on(tables_stay); i++)
		drop_tables(pgmap, &pgmap->range[i], records_begin(pgmap, &pgmap->range[i]),
			    records_end(pgmap, &pgmap->range[i]));
	pgmap_table_unlock();
	if (!ram && pgmap->altmap.alloc)
		warn("pgmap %s: failed to free all reserved pages, the altmap still counts %ld",
		     pgmap->name, (long)pgmap->altmap.alloc);
}
