/* SPDX-License-Identifier: MIT */
/*
 * Busy blocks: what a file let go while somebody held it. The machinery of the lifetime
 * busy-extent, whose steps are in lifetime/busy-extent.c.
 *
 *     free, at rest → (a file) → freed under a holder: marked (PAGE_BUSY) → the last holder lets
 * go: released, free, at rest
 *
 * Why it is right, invariant by invariant.
 *
 * I1: a block is handed out only when nobody references its page. A block goes: its range is
 * unmapped and every TLB has acknowledged, its entry is deleted, its extent leaves the tree, and
 * only then freed() looks at its record, before the bitmap shows it free (free_range(),
 * ext4_free_blocks()). From the unmapping on no reference can be born: references are taken from
 * page-table entries only, there are none; the fault lock, held for writing, keeps new ones from
 * being made; and a fast gup that had read an old entry runs with interrupts off, so the
 * acknowledgement comes after it took its reference, or after it found the entry gone and undid.
 * So the record shows every holder there will be. It shows zero: at rest for good, nothing is
 * marked, and a plain load is enough. It does not: page_mark_busy(). The allocator passes by what
 * is marked (idle_run), and asserts that what it takes is at rest (F-7). Marking goes by extents,
 * not by entries: a page that was pinned before the last unmount has none (F-16). A folio is one
 * record: any reference on it keeps every block that was freed of it out of reach, and every block
 * that was not from being exchanged with another file's.
 *
 * I2: record, pgmap and device stay while a page is referenced. Leaving rest takes a reference of
 * the pgmap, returning to it gives that back after the release (F-14); unbinding refuses, or waits
 * for the sum to be zero. A mount keeps the device, so a birth under a fault finds it live (E-1).
 *
 * I3: a mapped page has an entry; a held page without one has its block owned or busy. Unmapping
 * precedes the deletion; deletion without freeing (unmount) leaves the block with its file; freeing
 * marks.
 *
 * I4: no waiter sleeps for ever. Nobody waits for a page's holder. Who waits for space listens
 * before he looks, and each release wakes him.
 *
 * I5: no birth between "idle" and "free". As under I1, with page_get() refusing a busy page in the
 * same read-modify-write that would take it.
 *
 * I6: page → file and file → page agree. The link is made by the holder of the entry's lock and
 * goes with the entry, under the tree lock. A busy page belongs to no file, so its old holder's
 * late write is attributed to nobody (F-4).
 *
 * I7: after a cut no block has two owners. Nothing of the busy state is on the device, and nothing
 * needs to be: at boot bus mastering is off before any mount, so free means free. The order on the
 * device is the file layer's: out of the tree, fence, bitmap (F-11).
 *
 * Exactly one release (F-1): the word is changed by one read-modify-write, and only the value it
 * found decides (mm/page/busy.c). It may happen in an interrupt (F-5): there is no list and no
 * lock, as the cleared bit itself is what the allocator looks at.
 */
#include "dax/file/internal.h"
#include "dax/lifetime/internal.h"
#include "dax/device/internal.h"

MUSEUM(mark_by_index, "mark-by-index",
       "F-16: freeing marks only pages that had an index entry in this mount, so one that "
       "was pinned before it is handed out; shown by race F-16 (BROKEN I1) and selftest "
       "lifetime.busy-extent.by-extents");
MUSEUM(marker_releases, "marker-releases-anyway",
       "F-1: who marks a page releases it, though somebody holds it; shown by race F-1 "
       "(BROKEN I1) and selftest lifetime.busy-extent.out-of-reach");
MUSEUM(release_trylock, "release-trylock",
       "F-5: the release of a block is told only if the file layer's lock is free just "
       "then; shown by race F-5 (HUNG I4) and selftest lifetime.busy-extent.space-waiter");
MUSEUM(alloc_ignores_busy, "alloc-ignores-busy",
       "F-4, F-12: the allocator hands out what is free in the bitmap, held or not; shown "
       "by race F-4 (BROKEN I1) and selftest lifetime.busy-extent.out-of-reach");
MUSEUM(busy_per_mount, "busy-per-mount",
       "F-7: a mount knows only of the busy blocks that it made itself; shown by race F-7 "
       "(BROKEN I1) and selftest lifetime.busy-extent.inherited");
MUSEUM(own_record, "part-by-own-record",
       "F-9: of a partly freed folio the page's own record is marked, though its head counts the "
       "holders; shown by race F-9 (BROKEN I1)");
MUSEUM(run_takes_held, "run-takes-the-held",
       "a run of free blocks ends behind the first one that is held, not before it; shown by "
       "selftest lifetime.busy-extent.run-ends-at-held");

/* Museum mark-by-index: left in a record whose entry went in this mount. */
#define HAD_ENTRY(fs) (~(fs)->serial)

void busy_blocks_entries_go(const struct dax_inode *inode, struct page *first, unsigned nr)
{
	for (unsigned i = 0; i < nr && museum_on(mark_by_index); i++)
		first[i].index = HAD_ENTRY(inode->fs);
}

/* ---- marking, and the end of a mark ---- */

/* The mark is cleared already: the allocator may have given the block away before this is over, so
 * nothing of the record is looked at but its device. */
void busy_block_released(struct page *record)
{
	struct pgmap *pgmap = record->pgmap;
	struct dax_device *d;

	if (unlikely(pgmap->type != PGMAP_FS_DAX)) /* an exhibit let the device go: memremap.c */
		return;
	d = container_of(pgmap, struct pmem_region, pgmap)->dax;
	__atomic_fetch_sub(&d->busy, 1, __ATOMIC_ACQ_REL);
	__atomic_fetch_add(&d->released, 1, __ATOMIC_ACQ_REL);
	if (museum_on(release_trylock) && pgmap->owner) {
		struct dax_fs *fs = pgmap->owner;

		if (!mutex_trylock(&fs->lock))
			return;
		mutex_unlock(&fs->lock);
	}
	/* The addition was the barrier that wait_maybe() wants. */
	if (wait_maybe(&d->busy)) /* who waits for space */
		wake_up(&d->busy);
	if (wait_maybe(record)) /* an unbinding */
		wake_up(record);
}

/* A record that is held: fs->lock is, too. */
static void mark(struct dax_fs *fs, struct page *record)
{
	struct dax_device *d = dax_device_of(fs->region);

	if (museum_on(mark_by_index)) {
		if (record->index != HAD_ENTRY(fs))
			return;
		record->index = 0;
	}
	fs->marked++;
	/* LAB 11 freed: count it and mark it; each busy record counts once */
	/* Counted before it is marked, as the release may come at once. */
	__atomic_fetch_add(&d->busy, 1, __ATOMIC_ACQ_REL);
	if (page_mark_busy(record) == PAGE_MARKED_BEFORE)
		__atomic_fetch_sub(&d->busy, 1, __ATOMIC_ACQ_REL);
	else if (museum_on(marker_releases) &&
		 (__atomic_fetch_and(&record->state, ~PAGE_BUSY, __ATOMIC_ACQ_REL) & PAGE_BUSY))
		busy_block_released(record);
	/* END */
}

/* The records of one frame of them, or of a part of it. Whoever is at rest is not touched: nobody
 * can be born any more. */
static void mark_some(struct dax_fs *fs, struct page *p, const struct page *end)
{
	uint64_t all = 0;

	INTENDED_RACE("whoever is not at rest is looked at once more, by mark()");
	for (const struct page *q = p; q < end; q++)
		all |= q->state;
	for (; all && p < end; p++)
		if (page_state(p))
			mark(fs, p);
}

/* The first page behind those whose records share a frame with the record of p. */
static struct page *page_to_next_frame(const struct page *p)
{
	return (struct page *)ALIGN_UP((uint64_t)(p + 1), PAGE_SIZE);
}

/* Blocks within one 2 MiB, none of which is mapped or has an entry. */
static void mark_within(struct dax_fs *fs, struct page *p, const struct page *end)
{
	struct page *head = page_to_first(p);

	/* Records are made together with the one of their head. */
	if (!page_record_exists(head))
		return;
	if ((page_state(head) & PAGE_FOLIO) && !museum_on(own_record)) {
		if (page_refs(head))
			mark(fs, head);
		return;
	}
	while (p < end) {
		struct page *next = page_to_next_frame(p);

		next = MIN(next, (struct page *)end);
		if (page_record_exists(p))
			mark_some(fs, p, next);
		p = next;
	}
}

/*
 * Where a look at [p, end) begins: pages whose records were never made are at rest and are stepped
 * over, whole tables of them at once. Not before the first record of p's own 2 MiB: if that is a
 * folio it speaks for p, which may have no record.
 */
static struct page *first_touched(struct page *p, const struct page *end)
{
	struct page *found = page_record_next(page_to_first(p), end);

	return MAX(p, found);
}

/* The end of the 2 MiB that p lies in, or of the range. */
static struct page *within(const struct page *p, struct page *end)
{
	return MIN(page_to_first(p) + FOLIO_PAGES, end);
}

void busy_blocks_mark(struct dax_fs *fs, uint64_t pfn, uint32_t count)
{
	struct page *p = pfn_to_page(pfn), *const end = p + count, *next;

	if (within(p, end) == end) { /* most files are small */
		mark_within(fs, p, end);
		return;
	}
	for (; (p = first_touched(p, end)) < end; p = next) {
		next = within(p, end);
		mark_within(fs, p, next);
	}
}

/* ---- what the allocator asks ---- */

/* The first of the free pages [p, end), all within 2 MiB, that may have no new owner yet, or end. A
 * single page may when its word is zero. A part of a folio, when the folio is not marked; who came
 * later holds another part. */
static struct page *first_held(struct page *p, struct page *end)
{
	const struct page *head = page_to_first(p);

	if (!page_record_exists(head))
		return end;
	if (page_state(head) & PAGE_FOLIO)
		return page_state(head) & PAGE_BUSY ? p : end;
	while ((p = page_record_next(p, end)) < end) {
		struct page *stop = page_to_next_frame(p);

		for (stop = MIN(stop, end); p < stop; p++)
			if (page_state(p))
				return p;
	}
	return end;
}

/* How many of `count` free blocks come before the first one that is held. */
static uint32_t before_held(uint64_t pfn, uint32_t count)
{
	struct page *const start = pfn_to_page(pfn), *const end = start + count;
	struct page *p = start, *next;

	for (; (p = first_touched(p, end)) < end; p = next) {
		next = within(p, end);
		p = first_held(p, next);
		if (p < next)
			return (uint32_t)(p - start) + museum_on(run_takes_held);
	}
	return count;
}

uint32_t busy_blocks_before(const struct dax_fs *fs, uint64_t pfn, uint32_t count)
{
	if (museum_on(alloc_ignores_busy) || (museum_on(busy_per_mount) && !fs->marked))
		return count;
	return before_held(pfn, count);
}

bool busy_blocks_none(uint64_t pfn, uint32_t count)
{
	return likely(before_held(pfn, count) == count) || museum_any();
}
