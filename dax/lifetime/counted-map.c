/* SPDX-License-Identifier: MIT */
/*
 * counted-map: a mapping is a reference like any other; whoever breaks a layout removes the entries
 * himself. Linux 6.15 and later.
 *
 * Years     2025 on
 * Patches   "Fix ZONE_DEVICE page reference counts" v9 (2025): "fuse: fix dax truncate/punch_hole
 *           fault path", "fs/dax: return unmapped busy pages from dax_layout_busy_page_range()",
 *           "fs/dax: don't skip locked entries when scanning", "fs/dax: create a common
 *           implementation to break DAX layouts", "fs/dax: always remove DAX page-cache entries
 *           when breaking layouts", "ext4/xfs: … dax_break_layout_final()", "fs/dax: properly
 *           refcount fs dax pages".
 * Rest      0; whether the block is in use is the file system's knowledge.
 * Mapping   each page-table entry holds the page, and is counted apart as well.
 * Busy      references that are no mapping != 0. What is waited for is stricter: neither a
 *           reference nor a mapping.
 * Waker     the last use, of either kind, that goes.
 * Fixed     C-1 (no "is it mapped" test), C-2 (a locked entry is waited for), C-3 (eviction and
 *           unmount wait), C-5 (no special put), D-1 … D-9 (no flag, no reference of the entry).
 * Eras      6.15 (the default: the design and what it asks of a file system) and 7.3 (what ext4
 *           makes of it, measured: docs/linux-truth.md). XFS and FUSE were not measured.
 * Broken    C-4: in era 7.3 unbinding unmaps nothing and waits for no mapping: a mapping stays, and
 *           its record goes.
 *           C-6: a holder that keeps coming back starves the waiter.
 *           E-1: a page is born without asking whether the device lives.
 *           E-2: unbinding does not look at references (as C-8): the driver has to. While truncate
 *           sleeps for one, the record goes under the sleeper (C-7).
 *           E-3: an eviction waits uninterruptibly for a holder that waits for it. In era 7.3 so
 *           does the unbinding, which evicts files that nobody has open.
 *           E-7: the wait is for no mapping either. A fault while truncate sleeps maps the page
 *           again, and the last put ends nothing: truncate sleeps until munmap.
 *           E-4, E-5, E-6: mended on the way; museum break-end-zero, break-narrow, keep-order.
 */
#include "dax/file/internal.h"

MUSEUM(break_end_zero, "break-end-zero",
       "E-4: 'to the end of the file' is passed as 0, and the scan finds nothing there; shown by "
       "selftest lifetime.counted-map.whole-file and race E-4 lifetime=counted-map (BROKEN I1)");

static void detach(struct dax_inode *inode, const struct entry_run *run)
{
	struct page *first = run_to_page(run);

	inode->collisions += held_of_run(run, lifetime_counted_map.rest);
	page_disassociate(first, run->nr, inode, run->pgoff);
}

/* References are counted apart from mappings here, so "references − mappings" needs no sum. */
static bool busy(const struct page *page)
{
	return page_refs(page_to_record(page)) != 0;
}

/* What the waiter waits for: the count, in which mappings are contained, is not zero. */
static bool counted(const struct page *page)
{
	uint64_t s = page_state(page_to_record(page));

	return state_refs(s) || state_maps(s);
}

static void last_put(struct page *page)
{
	if (wait_maybe(page))
		wake_up(page);
}

static int wait_idle(struct dax_inode *inode, struct page *page)
{
	return layout_sleep(inode, page, counted, "last use of the page, count to 0");
}

/* In era 7.3 every range is the whole file. */
static void widen(const struct dax_inode *inode, uint64_t *first, uint64_t *last)
{
	if (!inode->fs->lifetime->asks_whole_file)
		return;
	*first = 0;
	*last = DAX_TO_END;
}

/* Locked entries are waited for, one by one, and looked at like any other. */
static struct page *scan(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	widen(inode, &first, &last);
	if (museum_on(break_end_zero) && last == DAX_TO_END)
		last = 0;
	/* LAB 06 look: the first held page of a range that nobody maps any more */
	unmap_mapping_range(&inode->mapping, first, last);
	entries_wait_unlocked(inode, first, last);
	return entries_find_held(inode, first, last, 0);
	/* END */
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last,
			enum layout_reason reason)
{
	int err;

	(void)reason;
	widen(inode, &first, &last);
	err = layout_wait_idle(inode, first, last);
	if (!err)
		entries_delete(inode, first, last);
	return err;
}

static int evict(struct dax_inode *inode)
{
	struct page *page;

	while ((page = scan(inode, 0, DAX_TO_END)))
		layout_sleep_final(inode, page, counted, "last use of the page, count to 0");
	entries_delete(inode, 0, DAX_TO_END);
	return 0;
}

/* The design and its rule, that a file system takes its mappings away before the device goes, and
 * asks for the range that it needs. */
const struct lifetime lifetime_counted_map = {
	.name = "counted-map",
	.era = "6.15",
	.era_years = "6.15 - 7.2",
	.rest = 0,
	.associates = true,
	.mapped_holds = true,
	.unbind = UNBIND_WAITS_FOR_MAPPINGS,
	.pgmap_ops = {.page_idle = last_put},
	LIFETIME_STEPS,
};

/* What ext4 makes of it. */
const struct lifetime lifetime_counted_map_7_3 = {
	.name = "counted-map",
	.era = "7.3",
	.era_years = "7.3",
	.measured = "7.3.4",
	.rest = 0,
	.associates = true,
	.mapped_holds = true,
	.unbind = UNBIND_WAITS_FOR_NOBODY,
	.unbind_evicts = true,
	.asks_whole_file = true,
	.pgmap_ops = {.page_idle = last_put},
	LIFETIME_STEPS,
};
