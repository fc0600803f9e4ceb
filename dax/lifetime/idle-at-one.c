/* SPDX-License-Identifier: MIT */
/*
 * idle-at-one: truncate sleeps until the page's count is back at one. Linux 4.17 – 6.14.
 *
 * Patches   "dax: fix dma vs truncate" (2017/18): "dax: associate mappings with inodes, and warn if
 *           dma collides with truncate", "mm, dax: enable filesystems to trigger page-idle
 *           callbacks", "wait_bit: introduce {wait_on,wake_up}_devmap_idle".
 * Rest      1.
 * Mapping   counts nothing; the entry links page → (file, offset).
 * Busy      references > 1, once the range is unmapped.
 * Waker     the put that brings the count from 2 to 1, in any context.
 * Fixed     A-1: no block is freed while a mapped file's page is held.
 * Broken    C-1: a file that is not mapped any more is taken for idle, though its page is held.
 *           C-2: an entry that a fault has locked is skipped by the scan.
 *           C-3: eviction and unmount do not ask at all.
 *           C-6: the whole file is unmapped, and a holder that comes back in time starves the
 * waiter.
 *
 * Why it is right where it is (I5): unmapping needs the page-table lock, under which slow gup takes
 * its reference; fast gup takes it first and then reads the entry again. So either the scan sees
 * the raised count, or gup sees the cleared entry and backs out, and its put is one more wake. New
 * mappings are impossible: faults need the fault lock, which is held for writing but while we
 * sleep, and after every sleep the scan starts anew.
 */
#include "dax/internal.h"

MUSEUM(skip_wake, "skip-wake",
       "the last put of a page wakes nobody; shown by race dma-truncate (HUNG I4) "
       "and selftest lifetime.last-put-wakes");

static bool busy(const struct page *page)
{
	return page_refs(page_head(page)) > lifetime_idle_at_one.rest;
}

static void insert(struct dax_inode *inode, uint64_t pgoff, struct page *page)
{
	page_associate(page, inode, pgoff);
}

static void remove_entry(struct dax_inode *inode, uint64_t pgoff, struct page *page)
{
	if (busy(page))
		inode->collisions++; /* "dax-dma truncate collision": freed while held (C-1 … C-3)
				      */
	page_disassociate(page, inode, pgoff);
}

static void last_put(struct page *page)
{
	/* Key: the count's own address. The put itself was the barrier that wait_maybe() wants. */
	if (wait_maybe(&page->state) && !museum_on(skip_wake))
		wake_up(&page->state);
}

static int wait_idle(struct dax_inode *inode, struct page *page)
{
	return layout_sleep(inode, page, "last put of the page, count 2 to 1");
}

/* First busy page of the range. As in Linux: a file that nothing maps is idle (C-1), the whole file
 * is unmapped, and what a fault has locked is passed over (C-2). */
static struct page *scan(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint64_t at = first, entry;

	if (!mapping_mapped(&inode->mapping))
		return NULL;
	unmap_mapping_range(&inode->mapping, 0, DAX_TO_END);
	for (; (entry = entry_next(inode, &at, last)); at += entry_pages(entry)) {
		if ((entry & (ENTRY_EMPTY | ENTRY_ZERO | ENTRY_LOCKED)))
			continue;
		if (busy(pfn_to_page(entry_pfn(entry))))
			return pfn_to_page(entry_pfn(entry));
	}
	return NULL;
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	struct page *page;
	int err = 0;

	while (!err && (page = scan(inode, first, last)))
		err = wait_idle(inode, page);
	return err;
}

static int evict(struct dax_inode *inode)
{
	(void)inode; /* nothing maps it any more, and nobody asks who holds its pages (C-3) */
	return 0;
}

const struct lifetime lifetime_idle_at_one = {
	.name = "idle-at-one",
	.who = "Linux 4.17 - 6.14",
	.busy_truncate = "sleeps until the count falls from 2 to 1",
	.rest = 1,
	.associates = true,
	.pgmap_ops = {.page_idle = last_put},
	.insert = insert,
	.remove = remove_entry,
	.busy = busy,
	.wait_idle = wait_idle,
	.break_layout = break_layout,
	.evict = evict,
};
