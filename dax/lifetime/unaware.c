/* SPDX-License-Identifier: MIT */
/*
 * unaware: no association, no waiting. Linux 4.5 – 4.16.
 *
 * Patches   "mm: ZONE_DEVICE" and memremap_pages (2015/16) gave DAX pages their struct page;
 *           nobody told truncate.
 * Rest      1: records are born with one reference and keep it for life.
 * Mapping   counts nothing.
 * Busy      the question is never asked.
 * Waker     none.
 * Fixed     get_user_pages works on DAX mappings at all (before: no page, -EFAULT).
 * Broken    A-1: truncate frees a block while a device still writes into it; the block's next
 *           owner receives the device's bytes (I1). Shown by `race dma-truncate lifetime=unaware`.
 */
#include "dax/internal.h"

static void insert(struct dax_inode *inode, uint64_t pgoff, struct page *page)
{
	/* No link from page to file: nobody will look for one. */
	(void)inode, (void)pgoff, (void)page;
}

static void remove_entry(struct dax_inode *inode, uint64_t pgoff, struct page *page)
{
	(void)inode, (void)pgoff, (void)page;
}

static bool busy(const struct page *page)
{
	return page_refs(page_head(page)) > lifetime_unaware.rest;
}

static void last_put(struct page *page)
{
	(void)page; /* nobody waits */
}

static int wait_idle(struct dax_inode *inode, struct page *page)
{
	(void)inode, (void)page;
	return 0;
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	/* The CPUs are stopped from reaching the pages. A device is not asked. */
	unmap_mapping_range(&inode->mapping, first, last);
	return 0;
}

static int evict(struct dax_inode *inode)
{
	return break_layout(inode, 0, DAX_TO_END);
}

const struct lifetime lifetime_unaware = {
	.name = "unaware",
	.who = "Linux 4.5 - 4.16",
	.busy_truncate = "frees the block: the bug everything is about",
	.rest = 1,
	.associates = false,
	.pgmap_ops = {.page_idle = last_put},
	.insert = insert,
	.remove = remove_entry,
	.busy = busy,
	.wait_idle = wait_idle,
	.break_layout = break_layout,
	.evict = evict,
};
