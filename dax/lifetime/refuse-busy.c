/* SPDX-License-Identifier: MIT */
/*
 * refuse-busy: truncate unmaps and looks once. If a page is held it fails at once, and says which;
 * whoever wants the blocks asks again. Proposed twice, never merged for files.
 *
 * Years     2019 and 2025 on, not merged
 * Patches   "RDMA/FS DAX truncate proposal" (RFC, 2019), "fs/ext4: Fail truncate if pages are GUP
 *           pinned" among them; the conversion of guest memory between shared and private (RFC,
 *           2025 and 2026), which fails with -EAGAIN and the offset of the first page in use.
 * Rest      0.
 * Mapping   each page-table entry holds the page, and is counted apart as well.
 * Busy      references that are no mapping != 0, once nothing maps the range any more.
 * Waker     none: the caller's own clock. An eviction has no caller to refuse to, and waits for the
 *           last put, as in counted-map; so does an unbinding that was told to.
 * Fixed     A-1 (nothing is freed while held), C-1 and C-2 (no "is it mapped" test, locked entries
 *           are waited for), C-3 (eviction waits), C-4, C-8 and E-2 (an unbinding refuses as well),
 *           E-7 (nobody sleeps while a mapping comes back).
 * Broken    C-6: a holder that keeps coming back is met by each look (G-1).
 *           D-6, E-3: the eviction that waits may wait for itself, or for ever.
 *           G-1: a holder forbids truncate for ever, and need not even be able to write the file.
 *           G-2: what a refused truncate unmapped stays unmapped; every user faults again.
 *           G-3: the caller that frees what it can leaves a file that is neither old nor new.
 *           G-4: the last put tells nobody.
 *           G-5: callers that ask again unmap the range each time, and win nothing by it.
 */
#include "dax/file/internal.h"

static void detach(struct dax_inode *inode, const struct entry_run *run)
{
	struct page *first = run_to_page(run);

	inode->collisions += held_of_run(run, lifetime_refuse_busy.rest);
	page_disassociate(first, run->nr, inode, run->pgoff);
}

static bool busy(const struct page *page)
{
	return page_refs(page_to_record(page)) != 0;
}

static void last_put(struct page *page)
{
	if (wait_maybe(page)) /* an eviction, or an unbinding that was told to wait */
		wake_up(page);
}

/* Nobody waits: the name of the step is what the others do here. */
static int wait_idle(struct dax_inode *inode, struct page *page)
{
	return layout_refuse(inode, page);
}

/* Locked entries are waited for, one by one, and looked at like any other. */
static struct page *scan(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	unmap_mapping_range(&inode->mapping, first, last);
	entries_wait_unlocked(inode, first, last);
	return entries_find_held(inode, first, last, 0);
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last,
			enum layout_reason reason)
{
	int err;

	(void)reason;
	err = layout_wait_idle(inode, first, last);
	if (!err)
		entries_delete(inode, first, last);
	return err;
}

static int evict(struct dax_inode *inode)
{
	struct page *page;

	while ((page = scan(inode, 0, DAX_TO_END)))
		layout_sleep_final(inode, page, busy, "last put of the page, count 1 to 0");
	entries_delete(inode, 0, DAX_TO_END);
	return 0;
}

const struct lifetime lifetime_refuse_busy = {
	.name = "refuse-busy",
	.rest = 0,
	.associates = true,
	.mapped_holds = true,
	.refuses = true,
	.unbind = UNBIND_REFUSES,
	.pgmap_ops = {.page_idle = last_put},
	LIFETIME_STEPS,
};
