/* SPDX-License-Identifier: MIT */
/*
 * busy-extent: nobody waits. A file lets its block go at once; the allocator keeps the block out of
 * reach until its last holder is gone. Holdfast's own; the default.
 *
 * Years     2026 on
 * Patches   none. The reviewers of "fix dma vs truncate" v3 (2017) named "a busy extent list" as
 *           the end goal; XFS has one for blocks whose freeing is not yet durable.
 * Rest      0 references, 0 mappings, not busy.
 * Mapping   each page-table entry holds the page, and is counted apart from references.
 * Busy      references != 0. A block freed in that state has PAGE_BUSY in its record's word.
 * Waker     nobody waits for a page. The put (or the marker) whose own change made the word show
 *           {no holder, busy} releases the block, and wakes who asked to wait for space.
 * Fixed     all of A to E: A-1, B-*, C-1 … C-8, D-*, E-*.
 * Broken    F-13: a holder may sit on blocks for ever; `pmem` and `ps` name him, and -ENOSPC says
 *           so. F-6: a page that stays in its file partly is not given up, so a late write lands in
 *           the file. longterm=allow lets such a holder stay as long as he lives.
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
 * is marked (block_busy), and asserts that what it takes is at rest (F-7). Marking goes by extents,
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
 *
 * longterm=allow: pins without an end (RDMA) are taken of files, since no truncate waits for them.
 * The cost: the blocks they hold come back when the pin goes, not when the file does, and a file
 * system that is full stays full although files were removed.
 */
#include "dax/internal.h"

MUSEUM(mark_by_index, "mark-by-index",
       "F-16: freeing marks only pages that had an index entry in this mount, so one that "
       "was pinned before it is handed out; shown by race F-16 (BROKEN I1) and selftest "
       "lifetime.busy.by-extents");
MUSEUM(marker_releases, "marker-releases-anyway",
       "F-1: who marks a page releases it, though somebody holds it; shown by race F-1 "
       "(BROKEN I1) and selftest lifetime.busy.out-of-reach");
MUSEUM(release_trylock, "release-trylock",
       "F-5: the release of a block is told only if the file layer's lock is free just "
       "then; shown by race F-5 (HUNG I4) and selftest lifetime.busy.space-waiter");
MUSEUM(alloc_ignores_busy, "alloc-ignores-busy",
       "F-4, F-12: the allocator hands out what is free in the bitmap, held or not; shown "
       "by race F-4 (BROKEN I1) and selftest lifetime.busy.out-of-reach");
MUSEUM(busy_per_mount, "busy-per-mount",
       "F-7: a mount knows only of the busy blocks that it made itself; shown by race F-7 "
       "(BROKEN I1) and selftest lifetime.busy.inherited");
MUSEUM(keep_link, "keep-link-of-held",
       "F-4: a page that somebody holds goes on naming its file when its entry goes; shown by race "
       "F-4 (BROKEN I6)");
MUSEUM(own_record, "part-by-own-record",
       "F-9: of a partly freed folio the page's own record is marked, though its head counts the "
       "holders; shown by race F-9 (BROKEN I1)");

/* Museum mark-by-index: left in a record whose entry went in this mount. */
#define HAD_ENTRY(fs) (~(fs)->serial)

static void detach(struct dax_inode *inode, const struct entry_run *run)
{
	struct page *first = run_record(run);

	if (museum_on(keep_link) && held_of_run(run, 0))
		return;
	page_disassociate(first, run->nr, inode, run->pgoff);
	for (unsigned i = 0; i < run->nr && museum_on(mark_by_index); i++)
		first[i].index = HAD_ENTRY(inode->fs);
}

static bool busy(const struct page *page)
{
	return page_refs(page_head(page)) != 0;
}

static void last_put(struct page *page)
{
	if (wait_maybe(page)) /* an unbinding that was told to wait */
		wake_up(page);
}

static int wait_idle(struct dax_inode *inode, struct page *page)
{
	(void)inode, (void)page;
	return 0;
}

static struct page *scan(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	(void)inode, (void)first, (void)last; /* nobody needs to know */
	return NULL;
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last,
			enum layout_reason reason)
{
	(void)inode, (void)first, (void)last, (void)reason;
	return 0; /* whoever frees unmaps, and freed() sees to the rest */
}

static int evict(struct dax_inode *inode)
{
	(void)inode;
	return 0;
}

/* ---- freed -------------------------------------------------------------------------------- */

static struct pmem_region *region_of(const struct page *record)
{
	return container_of(record->pgmap, struct pmem_region, pgmap);
}

/* The last holder of a marked record is gone. The mark is cleared already: the allocator may have
 * given the block away before this is over, so nothing of the record is looked at but its device.
 * Any context, interrupts included. */
static void release(struct page *record)
{
	struct pmem_region *r = region_of(record);
	struct dax_fs *fs = r->pgmap.owner;

	__atomic_fetch_sub(&r->busy, 1, __ATOMIC_ACQ_REL);
	__atomic_fetch_add(&r->released, 1, __ATOMIC_ACQ_REL);
	if (museum_on(release_trylock) && fs) {
		if (!mutex_trylock(&fs->lock))
			return;
		mutex_unlock(&fs->lock);
	}
	/* The addition was the barrier that wait_maybe() wants. */
	if (wait_maybe(&r->busy)) /* who waits for space */
		wake_up(&r->busy);
	if (wait_maybe(record)) /* an unbinding */
		wake_up(record);
}

/* A record that is held: fs->lock is, too. */
static void mark(struct dax_fs *fs, struct page *record)
{
	struct pmem_region *r = fs->region;

	if (museum_on(mark_by_index)) {
		if (record->index != HAD_ENTRY(fs))
			return;
		record->index = 0;
	}
	fs->marked++;
	/* Counted before it is marked, as the release may come at once. */
	__atomic_fetch_add(&r->busy, 1, __ATOMIC_ACQ_REL);
	if (page_mark_busy(record) == PAGE_MARKED_BEFORE)
		__atomic_fetch_sub(&r->busy, 1, __ATOMIC_ACQ_REL);
	else if (museum_on(marker_releases) &&
		 (__atomic_fetch_and(&record->state, ~PAGE_BUSY, __ATOMIC_ACQ_REL) & PAGE_BUSY))
		release(record);
}

/* The records of one frame of them, or of a part of it. Whoever is at rest is not touched: nobody
 * can be born any more. */
static void mark_some(struct dax_fs *fs, struct page *p, const struct page *end)
{
	uint64_t all = 0;

	for (const struct page *q = p; q < end; q++)
		all |= q->state;
	for (; all && p < end; p++)
		if (page_state(p))
			mark(fs, p);
}

/* Blocks within one 2 MiB, none of which is mapped or has an entry. */
static void mark_within(struct dax_fs *fs, struct page *p, const struct page *end)
{
	struct page *head = page_first(p);

	/* Records are made together with the one of their head. */
	if (!page_record_exists(head))
		return;
	if ((page_state(head) & PAGE_FOLIO) && !museum_on(own_record)) {
		if (busy(head))
			mark(fs, head);
		return;
	}
	while (p < end) {
		struct page *next = (struct page *)ALIGN_UP((uint64_t)(p + 1), PAGE_SIZE);

		next = MIN(next, (struct page *)end);
		if (page_record_exists(p))
			mark_some(fs, p, next);
		p = next;
	}
}

static void freed(struct dax_fs *fs, uint64_t pfn, uint32_t count)
{
	const uint64_t end = pfn + count;

	while (pfn < end) {
		uint64_t next = MIN(end, ALIGN_DOWN(pfn, FOLIO_PAGES) + FOLIO_PAGES);

		mark_within(fs, pfn_to_page(pfn), pfn_to_page(next));
		pfn = next;
	}
}

/* ---- what the allocator asks -------------------------------------------------------------- */

/* Of a free block: may it have a new owner? A single page: when its word is zero. A part of a
 * folio: when the folio is not marked; who came later holds another part. */
static bool at_rest(uint64_t pfn)
{
	const struct page *p = pfn_to_page(pfn), *first = page_first(p);

	if (!page_record_exists(first))
		return true;
	if (page_state(first) & PAGE_FOLIO)
		return !(page_state(first) & PAGE_BUSY);
	return !page_record_exists(p) || !page_state(p);
}

static bool blocked(const struct dax_fs *fs, uint64_t pfn)
{
	/* The common case by one load: nothing of the device is busy. */
	if (likely(!__atomic_load_n(&fs->region->busy, __ATOMIC_ACQUIRE)))
		return false;
	if (museum_on(alloc_ignores_busy) || (museum_on(busy_per_mount) && !fs->marked))
		return false;
	return !at_rest(pfn);
}

static bool may_take(uint64_t pfn, uint32_t count)
{
	for (; count; pfn++, count--)
		if (unlikely(!at_rest(pfn)) && !museum_mask())
			return false;
	return true;
}

const struct lifetime lifetime_busy_extent = {
	.name = "busy-extent",
	.who = "Holdfast's own",
	.busy_truncate =
		"never waits: the allocator keeps the block out of reach until the last put",
	.mapping_holds = "the page, one count per page-table entry",
	.busy_test = "references != 0; its freed blocks are marked",
	.waker = "nobody waits; the put to zero releases the block",
	.fixed = "everything from A-1 to E-7",
	.broken = "F-13 (a holder may sit on blocks; pmem and ps name him)",
	.rest = 0,
	.associates = true,
	.mapped_holds = true,
	.longterm_allowed = true,
	.unbind = UNBIND_REFUSES,
	.pgmap_ops = {.page_idle = last_put, .page_release = release},
	.detach = detach,
	.busy = busy,
	.wait_idle = wait_idle,
	.scan = scan,
	.break_layout = break_layout,
	.evict = evict,
	.freed = freed,
	.blocked = blocked,
	.may_take = may_take,
};
