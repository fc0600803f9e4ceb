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
 * longterm=allow: pins without an end (RDMA) are taken of files, since no truncate waits for them.
 * The cost: the blocks they hold come back when the pin goes, not when the file does, and a file
 * system that is full stays full although files were removed.
 *
 * Why it is right, invariant by invariant, and how blocks are marked: dax/lifetime/busy_blocks.c.
 */
#include "dax/file/internal.h"
#include "dax/lifetime/internal.h"
#include "dax/device/internal.h"

MUSEUM(keep_link, "keep-link-of-held",
       "F-4: a page that somebody holds goes on naming its file when its entry goes; shown by race "
       "F-4 (BROKEN I6)");

static void detach(struct dax_inode *inode, const struct entry_run *run)
{
	struct page *first = run_to_page(run);

	if (museum_on(keep_link) && held_of_run(run, lifetime_busy_extent.rest))
		return;
	page_disassociate(first, run->nr, inode, run->pgoff);
	busy_blocks_entries_go(inode, first, run->nr);
}

static bool busy(const struct page *page)
{
	return page_refs(page_to_record(page)) != 0;
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

static void freed(struct dax_fs *fs, uint64_t pfn, uint32_t count)
{
	busy_blocks_mark(fs, pfn, count);
}

static void release(struct page *record)
{
	busy_block_released(record);
}

static uint32_t idle_run(const struct dax_fs *fs, uint64_t pfn, uint32_t count)
{
	/* The common case by one load: nothing of the device is busy. */
	if (likely(!__atomic_load_n(&fs->region->dax->busy, __ATOMIC_ACQUIRE)))
		return count;
	return busy_blocks_before(fs, pfn, count);
}

static bool may_take(uint64_t pfn, uint32_t count)
{
	return busy_blocks_none(pfn, count);
}

const struct lifetime lifetime_busy_extent = {
	.name = "busy-extent",
	.rest = 0,
	.associates = true,
	.mapped_holds = true,
	.longterm_allowed = true,
	.unbind = UNBIND_REFUSES,
	.pgmap_ops = {.page_idle = last_put, .page_release = release},
	LIFETIME_STEPS,
	.freed = freed,
	.idle_run = idle_run,
	.may_take = may_take,
};
