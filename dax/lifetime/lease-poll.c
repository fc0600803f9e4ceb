/* SPDX-License-Identifier: MIT */
/*
 * lease-poll: one lease for each get_user_pages() call, looked at once a second. Proposed for Linux
 * in October 2017, not merged.
 *
 * Years     2017, never merged
 * Patches   "dax: fix dma vs truncate and remove page-less support" v3: "dax: warn
 *           if dma collides with truncate", "mm: disable get_user_pages_fast() for dax", "fs: use
 *           smp_load_acquire in break_{layout,lease}", "dax: handle truncate of dma-busy pages",
 *           "xfs: wire up FL_ALLOCATED support".
 * Rest      1.
 * Mapping   holds nothing; the entry links page → (file, offset).
 * Busy      references > 1 of one of the pages that a lease lists, asked once a second.
 * Waker     the unlock of the lease, by the poll that found its pages idle.
 * Fixed     A-1 for whatever takes blocks out of the middle: punch, zero, collapse, insert.
 * Broken    B-1: only the first VMA of a call is asked, the pages of others have no lease.
 *           B-2: a call that a signal ends may forget to hand over its pages; its lease is then
 *           broken for ever (museum gup-lost-lease).
 *           B-3: a lease and a second of polling for each call, however short it held the page.
 *           B-4: a page found idle is idle only if every way to get it takes a lease.
 *           B-5: the wait's error is thrown away (museum lease-error-lost).
 *           B-6: who keeps coming back starves the waiter.
 *           B-7: truncate(2) is not wired: A-1 is as before.
 *           C-3, C-4 as in idle-at-one; a lease holds its file, so eviction waits for the poll.
 *
 * What a lease is and who polls is in dax/lifetime/gup_lease.c. Every reference needs the slow
 * path, which knows the VMA; fast gup is refused.
 */
#include "dax/lifetime/internal.h"

MUSEUM(lease_error_lost, "lease-error-lost",
       "B-5: a signal that ends the wait for a lease counts as success, and punch goes on under "
       "the holder; shown by selftest lifetime.lease-poll.signal and race B-5 "
       "lifetime=lease-poll (BROKEN I1)");

static void detach(struct dax_inode *inode, const struct entry_run *run)
{
	struct page *first = run_to_page(run);

	inode->collisions += held_of_run(run, lifetime_lease_poll.rest); /* "collision" */
	page_disassociate(first, run->nr, inode, run->pgoff);
}

static bool busy(const struct page *page)
{
	return page_refs(page_to_record(page)) > lifetime_lease_poll.rest;
}

static void last_put(struct page *page)
{
	(void)page; /* nobody is told; the poll sees it, up to a second later */
}

static int wait_idle(struct dax_inode *inode, struct page *page)
{
	(void)page; /* of which page nobody knows: the leases stand for them */
	return layout_break_leases(inode, LEASE_ALL, LAYOUT_SPACE);
}

static struct page *scan(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	unmap_mapping_range(&inode->mapping, first, last);
	return NULL;
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last,
			enum layout_reason reason)
{
	int err = 0;

	/* The size-change path was forgotten: it breaks LEASE_LAYOUT alone (B-7). */
	while (!err && reason != LAYOUT_SIZE &&
	       lease_break(&inode->leases, LEASE_ALL, false) == -EWOULDBLOCK)
		err = reason == LAYOUT_SPACE
			      ? wait_idle(inode, NULL)
			      : layout_break_leases(inode, LEASE_ALL, LAYOUT_EXCHANGE);
	if (museum_on(lease_error_lost))
		err = 0;
	if (!err)
		scan(inode, first, last);
	return err;
}

static int evict(struct dax_inode *inode)
{
	(void)inode; /* a lease would have kept the file; who has none is not asked (C-3) */
	return 0;
}

static int gup_begin(struct dax_inode *inode, unsigned long nr, void **cookie)
{
	return gup_lease_begin(inode, nr, cookie);
}

static void gup_end(void *cookie, struct page **pages, unsigned long nr)
{
	gup_lease_end(cookie, pages, nr);
}

static void settle(struct dax_fs *fs)
{
	gup_lease_settle(fs);
}

const struct lifetime lifetime_lease_poll = {
	.name = "lease-poll",
	.rest = 1,
	.associates = true,
	.mapped_holds = false,
	.no_fast_gup = true,
	.unbind = UNBIND_WAITS_FOR_REFERENCES,
	.pgmap_ops = {.page_idle = last_put},
	LIFETIME_STEPS,
	.gup_begin = gup_begin,
	.gup_end = gup_end,
	.settle = settle,
};
