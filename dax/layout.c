/* SPDX-License-Identifier: MIT */
/*
 * Sleeping for a page: the part of breaking a layout that several designs share.
 */
#include "dax/internal.h"

bool mapping_mapped(struct mapping *m)
{
	bool mapped;

	down_read(&m->i_mmap_lock);
	mapped = !LIST_EMPTY(&m->vmas);
	up_read(&m->i_mmap_lock);
	return mapped;
}

int layout_sleep(struct dax_inode *inode, struct page *page, const char *waker)
{
	const struct lifetime *lt = inode->fs->lifetime;
	uint64_t start = clock_ns();
	char what[160], holders[160], who[256];
	int err;

	assert_rwsem_held_write(&inode->fault_lock);
	page = page_head(page); /* whose count the last put brings to rest */
	holders_describe(page, holders, sizeof(holders));
	snprintf(what, sizeof(what), "pfn 0x%lx (%s page %lu, %u references, rest %u) to be idle",
		 page_to_pfn(page), inode->name, page->index, page_refs(page), lt->rest);
	snprintf(who, sizeof(who), "%s; held by: %s", waker, holders);
	inode->last_break.busy_seen++;
	inode->last_break.busy_pfn = page_to_pfn(page);
	/* Give way while asleep, else a fault of the holder itself waits for us, and we for it. */
	up_write(&inode->fault_lock);
	err = wait_event_interruptible(&page->state, !lt->busy(page), what, who);
	down_write(&inode->fault_lock);
	inode->last_break.waited_ns += clock_ns() - start;
	return err;
}
