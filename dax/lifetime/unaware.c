/* SPDX-License-Identifier: MIT */
/*
 * unaware: no association, no waiting. Linux 4.5 – 4.16.
 *
 * Years     2016 – 2018
 * Patches   "mm: ZONE_DEVICE" and memremap_pages (2015/16) gave DAX pages their struct page;
 *           nobody told truncate.
 * Rest      1: records are born with one reference and keep it for life.
 * Mapping   holds nothing.
 * Busy      the question is never asked.
 * Waker     none.
 * Fixed     get_user_pages works on DAX mappings at all (before: no page, -EFAULT).
 * Broken    A-1: truncate frees a block while a device still writes into it; the block's next
 *           owner receives the device's bytes (I1). Shown by `race dma-truncate lifetime=unaware`.
 *           with the mount option entries=sectors an entry holds a sector, as before "dax:
 *           store pfns in the radix"; fsync needs the live device to turn it into an address, and
 *           what is dirty when the device goes is lost.
 */
#include "dax/file/internal.h"

static void detach(struct dax_inode *inode, const struct entry_run *run)
{
	(void)inode, (void)run;
}

static bool busy(const struct page *page)
{
	return page_refs(page_to_record(page)) > lifetime_unaware.rest;
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

static struct page *scan(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	/* The CPUs are stopped from reaching the pages. A device is not asked. */
	unmap_mapping_range(&inode->mapping, first, last);
	return NULL;
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last,
			enum layout_reason reason)
{
	(void)reason;
	return layout_wait_idle(inode, first, last);
}

static int evict(struct dax_inode *inode)
{
	return break_layout(inode, 0, DAX_TO_END, LAYOUT_SPACE);
}

const struct lifetime lifetime_unaware = {
	.name = "unaware",
	.rest = 1,
	.associates = false,
	.mapped_holds = false,
	.sectors_allowed = true,
	.needs_no_records = true,
	.unbind = UNBIND_WAITS_FOR_REFERENCES,
	.pgmap_ops = {.page_idle = last_put},
	LIFETIME_STEPS,
};
