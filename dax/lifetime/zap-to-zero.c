/* SPDX-License-Identifier: MIT */
/*
 * zap-to-zero: an entry holds its page, zapping gives that back, truncate waits for zero. Proposed
 * for Linux in September and October 2022, not merged.
 *
 * Years     2022, never merged
 * Patches   "Fix the DAX-gup mistake" v2, v3: "fsdax: Include unmapped inodes for page-idle
 *           detection", "ext4: Add ext4_break_layouts() to the inode eviction path", "fsdax: Rework
 *           dax_layout_busy_page() to dax_zap_mappings()", "fsdax: Manage pgmap references at entry
 *           insertion and deletion", "mm/memremap_pages: Support initializing pages to a zero
 *           reference count", "mm/gup: Drop DAX pgmap accounting".
 * Rest      0.
 * Mapping   holds nothing; its entry holds one reference, however many page-table entries there
 *           are, from insert until it is zapped (flag ENTRY_ZAP).
 * Busy      references > 0, once the entry was zapped.
 * Waker     the put that brings the count from 1 to 0; the key is the page.
 * Fixed     C-1, C-3, C-4, C-8: the entry, not the mapping, says what to look at; eviction waits;
 *           the device is held from 0 to 1 until 1 to 0.
 * Broken    C-2: a locked entry is passed over.
 *           D-1: ZAP is never cleared, so a page that is mapped again holds nothing.
 *           D-6: an eviction waits for a holder that waits for it.
 *           D-7: nothing but the fault lock stops new references after the zap, so who was woken
 *           must look at all pages once more (museum scan-once).
 *           Slips of v2 and v3, brought back by museum switches: D-2 round-up, D-3
 *           zap-ignores-dying, D-4 zap-shared, D-5 invalidate-keeps, D-8 count-at-delete, D-9
 *           put-clears-link, D-10 release-from-first.
 */
#include "dax/file/internal.h"

MUSEUM(zap_ignores_dying, "zap-ignores-dying",
       "D-3: the entry of a dying device is made as if it were live; shown by selftest "
       "lifetime.zap-to-zero.dying-is-refused and race D-3 lifetime=zap-to-zero (BROKEN I2)");
MUSEUM(put_clears_link, "put-clears-link",
       "D-9: the last put of a zapped page forgets its file, though the entry is still there; "
       "shown by selftest lifetime.zap-to-zero.link-survives and race D-9 lifetime=zap-to-zero "
       "(BROKEN I6)");
MUSEUM(invalidate_keeps, "invalidate-keeps",
       "D-5: an entry that goes without its block keeps its reference; shown by race D-5 "
       "lifetime=zap-to-zero (BROKEN I4)");
MUSEUM(scan_once, "scan-once",
       "D-7: who has waited for one page does not look for others once more; shown by race D-7 "
       "lifetime=zap-to-zero (BROKEN I1)");
MUSEUM(count_at_delete, "count-at-delete",
       "D-8: the device's count goes back with the entry, though the page is held; shown by race "
       "D-8 lifetime=zap-to-zero (BROKEN I2)");
MUSEUM(release_from_first, "release-from-first",
       "D-10: giving back a run of entries' references, every step is one from the first page; "
       "shown by race D-10 lifetime=zap-to-zero (BROKEN I5)");

/* v2: the count goes up, and nobody looks whether the device lives. */
static void get_unasked(struct page *record)
{
	percpu_ref_get(&record->pgmap->ref);
	__atomic_fetch_add(&record->state, PAGE_REF, __ATOMIC_ACQ_REL);
}

static int attach(struct dax_inode *inode, uint64_t pgoff, struct page *page)
{
	(void)inode, (void)pgoff;
	/* From 0 this holds the device as well, and fails if that is going. */
	if (!page_get_first(page_to_record(page), 1)) {
		if (!museum_on(zap_ignores_dying))
			return -ENXIO;
		get_unasked(page_to_record(page));
	}
	return 0;
}

/* The references that a run of entries, not zapped before, has of its pages. */
static void zap_run(const struct entry_run *run)
{
	struct page *first = run_to_page(run);

	if (!museum_on(release_from_first)) {
		page_put_range(first, run->nr);
		return;
	}
	for (unsigned i = 0; i < run->nr; i++)
		page_put(first + (i ? 1 : 0), 1);
}

static void detach(struct dax_inode *inode, const struct entry_run *run)
{
	struct page *first = run_to_page(run);

	if (!(run->entry & ENTRY_ZAP) && !museum_on(invalidate_keeps))
		zap_run(run); /* nobody broke the layout: give them back now */
	/* Else the last put of each, later, gives its share of the device back. */
	if (museum_on(count_at_delete))
		percpu_ref_put_many(&first->pgmap->ref, held_of_run(run, 0));
	inode->collisions += held_of_run(run, lifetime_zap_to_zero.rest);
	for (unsigned i = 0; i < run->nr && museum_on(put_clears_link); i++)
		first[i].mapping =
			&inode->mapping; /* so that the bug shows where it is, not here */
	page_disassociate(first, run->nr, inode, run->pgoff);
}

static bool busy(const struct page *page)
{
	return page_refs(page_to_record(page)) > lifetime_zap_to_zero.rest;
}

static void last_put(struct page *page)
{
	if (museum_on(put_clears_link))
		page->mapping = NULL;
	if (wait_maybe(page))
		wake_up(page);
}

static int wait_idle(struct dax_inode *inode, struct page *page)
{
	return layout_sleep(inode, page, busy, "last put of the page, count 1 to 0");
}

/* As in the patches, the whole file is zapped and looked at, whatever the range. */
static struct page *scan(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	struct entry_run run;
	uint64_t at = 0;

	(void)first, (void)last;
	unmap_mapping_range(&inode->mapping, 0, DAX_TO_END);
	while (entries_mark(inode, &at, DAX_TO_END, ENTRY_ZAP, &run))
		zap_run(&run);
	return entries_find_held(inode, 0, DAX_TO_END, ENTRY_LOCKED);
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last,
			enum layout_reason reason)
{
	struct page *page;
	int err = 0;

	(void)reason;
	while (!err && (page = scan(inode, first, last))) {
		err = wait_idle(inode, page);
		if (museum_on(scan_once))
			break;
	}
	return err;
}

static int evict(struct dax_inode *inode)
{
	struct page *page;

	while ((page = scan(inode, 0, DAX_TO_END)))
		layout_sleep_final(inode, page, busy, "last put of the page, count 1 to 0");
	return 0;
}

const struct lifetime lifetime_zap_to_zero = {
	.name = "zap-to-zero",
	.rest = 0,
	.associates = true,
	.mapped_holds = false,
	.entry_holds = true,
	.unbind = UNBIND_WAITS_FOR_ALL,
	.asks_whole_file = true,
	.pgmap_ops = {.page_idle = last_put},
	.attach = attach,
	LIFETIME_STEPS,
};
