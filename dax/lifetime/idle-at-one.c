/* SPDX-License-Identifier: MIT */
/*
 * idle-at-one: truncate sleeps until the page's count is back at one. Linux 4.17 – 6.14.
 *
 * Years     2018 – 2025
 * Patches   "dax: fix dma vs truncate" (2017/18): "dax: associate mappings with inodes, and warn if
 *           dma collides with truncate", "mm, dax: enable filesystems to trigger page-idle
 *           callbacks", "wait_bit: introduce {wait_on,wake_up}_devmap_idle".
 * Rest      1.
 * Mapping   holds nothing; the entry links page → (file, offset).
 * Busy      references > 1, once the range is unmapped.
 * Waker     the put that brings the count from 2 to 1, in any context.
 * Fixed     A-1: no block is freed while a mapped file's page is held.
 * Eras      4.17 (the default: the design as merged), 5.18 and 6.1. The steps are the same; what
 *           is around them is not: whether a reference keeps the device, and which put forgets to
 *           wake. 6.1 was measured (docs/linux-truth.md), the others are known from patches only.
 * Broken    C-1: a file that is not mapped any more is taken for idle, though its page is held.
 *           C-2: an entry that a fault has locked is skipped by the scan.
 *           C-3: eviction and unmount do not ask at all.
 *           C-4: a mapping keeps no device: unbinding takes the records from under it.
 *           C-5: eras 5.18 and 6.1 each have a way to put that wakes nobody: unpinning, and the
 *           completion of a block request. The count is at rest, and truncate sleeps on.
 *           C-6: the whole file is unmapped and asked, whatever range goes: a holder of another
 *           page is waited for as well, and one that comes back in time starves the waiter.
 *           C-7: unbinding while truncate sleeps. Era 4.17 drops each page's first reference, which
 *           looks like the last put (I1); later eras wake nobody, and the record goes under the
 *           sleeper (I2).
 *           C-8: from era 5.18 on a reference keeps no device either.
 *
 * Why it is right where it is (I5): unmapping needs the page-table lock, under which slow gup takes
 * its reference; fast gup takes it first and then reads the entry again. So either the scan sees
 * the raised count, or gup sees the cleared entry and backs out, and its put is one more wake. New
 * mappings are impossible: faults need the fault lock, which is held for writing but while we
 * sleep, and after every sleep the scan starts anew.
 */
#include "dax/file/internal.h"

MUSEUM(skip_wake, "skip-wake",
       "the last put of a page wakes nobody; shown by race dma-truncate lifetime=idle-at-one (HUNG "
       "I4) and selftest lifetime.last-put-wakes");

static void detach(struct dax_inode *inode, const struct entry_run *run)
{
	struct page *first = run_to_page(run);

	/* "dax-dma truncate collision": freed while held (C-1 … C-3) */
	inode->collisions += held_of_run(run, lifetime_idle_at_one.rest);
	page_disassociate(first, run->nr, inode, run->pgoff);
}

static bool busy(const struct page *page)
{
	return page_refs(page_to_record(page)) > lifetime_idle_at_one.rest;
}

static void last_put(struct page *page)
{
	/* Key: the count's own address. The put itself was the barrier that wait_maybe() wants. */
	if (wait_maybe(&page->state) && !museum_on(skip_wake))
		wake_up(&page->state);
}

static int wait_idle(struct dax_inode *inode, struct page *page)
{
	return layout_sleep(inode, page, busy, "last put of the page, count 2 to 1");
}

/* The first busy page. As in Linux: a file that nothing maps is idle (C-1), the whole file is
 * unmapped and looked at, whatever range goes (C-6), and an entry that a fault has locked is passed
 * over (C-2). */
static struct page *scan(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	(void)first, (void)last;
	if (!mapping_mapped(&inode->mapping))
		return NULL;
	unmap_mapping_range(&inode->mapping, 0, DAX_TO_END);
	/* No entry is behind the end of the file. */
	return entries_find_held(inode, 0, (inode->size + PAGE_SIZE - 1) / PAGE_SIZE, ENTRY_LOCKED);
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last,
			enum layout_reason reason)
{
	(void)reason;
	return layout_wait_idle(inode, first, last);
}

static int evict(struct dax_inode *inode)
{
	(void)inode; /* nothing maps it any more, and nobody asks who holds its pages (C-3) */
	return 0;
}

/* The design as it was merged, before anything around it changed: each page counts for the device.
 */
const struct lifetime lifetime_idle_at_one = {
	.name = "idle-at-one",
	.era = "4.17",
	.era_years = "4.17 - 5.17",
	.rest = 1,
	.associates = true,
	.mapped_holds = false,
	.unbind = UNBIND_WAITS_FOR_REFERENCES,
	.asks_whole_file = true,
	.pgmap_ops = {.page_idle = last_put},
	LIFETIME_STEPS,
};

/* The device counts its pages in bulk (C-8), and unpinning wakes nobody (C-5). */
const struct lifetime lifetime_idle_at_one_5_18 = {
	.name = "idle-at-one",
	.era = "5.18",
	.era_years = "5.18 - 6.0",
	.rest = 1,
	.associates = true,
	.mapped_holds = false,
	.unbind = UNBIND_WAITS_FOR_NOBODY,
	.asks_whole_file = true,
	.pgmap_ops = {.page_idle = last_put, .deaf = PUT_BY_UNPIN},
	LIFETIME_STEPS,
};

/* Unpinning wakes again; the completion of a block request does not (C-5). */
const struct lifetime lifetime_idle_at_one_6_1 = {
	.name = "idle-at-one",
	.era = "6.1",
	.era_years = "6.1 - 6.14",
	.measured = "6.1.192",
	.rest = 1,
	.associates = true,
	.mapped_holds = false,
	.unbind = UNBIND_WAITS_FOR_NOBODY,
	.asks_whole_file = true,
	.pgmap_ops = {.page_idle = last_put, .deaf = PUT_BY_BIO},
	LIFETIME_STEPS,
};
