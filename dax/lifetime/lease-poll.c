/* SPDX-License-Identifier: MIT */
/*
 * lease-poll: one lease for each get_user_pages() call, looked at once a second. Proposed for Linux
 * in October 2017, not merged.
 *
 * Patches   "dax: fix dma vs truncate and remove page-less support" v3: "dax: introduce
 *           dax_flush_dma / IOMAP…", "fs: use smp_load_acquire in break_{layout,lease}", "mm:
 *           FL_ALLOCATED leases around get_user_pages", "dax: warn if dma collides with truncate".
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
 * A lease: SET (no pages yet) → ARMED (it has them) → BREAKING (looked at every second) → gone. One
 * that nobody breaks is broken by ourselves a second after it was armed, so that they do not pile
 * up. Every reference needs the slow path, which knows the VMA; fast gup is refused.
 */
#include "dax/internal.h"

MUSEUM(lease_error_lost, "lease-error-lost",
       "B-5: a signal that ends the wait for a lease counts as success, and punch goes on under "
       "the holder; shown by selftest lifetime.lease-poll.signal and race B-5 "
       "lifetime=lease-poll (BROKEN I1)");

#define POLL_NS 1000000000ull
#define NEVER	UINT64_MAX

struct dax_lease {
	struct lease lease;
	struct dax_inode *inode; /* one reference */
	struct page **pages;	 /* room for what was asked for */
	unsigned long nr;
	bool armed;	 /* PAGES: `pages` is what the call got */
	bool breaking;	 /* BREAK: somebody waits */
	uint64_t due_ns; /* when it is looked at next; NEVER: not before it is armed or broken */
	LIST_ENTRY(dax_lease) link;
};

static struct mutex poll_lock = MUTEX_INIT("lease poll"); /* leases come, go and are looked at */
static LIST_HEAD(, dax_lease) all = LIST_HEAD_INITIALIZER(all); /* poll_lock */
static bool poller_runs;					/* poll_lock */
static struct dax_fs *in_flight; /* poll_lock: of the file that the poller is at; NULL: none */
unsigned long lease_polls;

static int insert(struct dax_inode *inode, uint64_t pgoff, struct page *page)
{
	page_associate(page, inode, pgoff);
	return 0;
}

static bool busy(const struct page *page)
{
	return page_refs(page_head(page)) > lifetime_lease_poll.rest;
}

static void remove_entries(struct dax_inode *inode, const struct entry_run *run)
{
	struct page *first = run_record(run);

	inode->collisions += held_of_run(run, lifetime_lease_poll.rest); /* "collision" */
	page_disassociate(first, run->nr, inode, run->pgoff);
}

static void last_put(struct page *page)
{
	(void)page; /* nobody is told; the poll sees it, up to a second later */
}

/* ---- the poll ---------------------------------------------------------------------------------
 */

static void set_due(struct dax_lease *dl, uint64_t ns)
{
	__atomic_store_n(&dl->due_ns, ns, __ATOMIC_RELEASE);
}

static uint64_t due(const struct dax_lease *dl)
{
	return __atomic_load_n(&dl->due_ns, __ATOMIC_ACQUIRE);
}

static bool any_busy(const struct dax_lease *dl)
{
	for (unsigned long i = 0; i < dl->nr; i++)
		if (busy(dl->pages[i]))
			return true;
	return false;
}

static bool is_armed(const struct dax_lease *dl)
{
	/* The pages before the mark: see gup_end(). */
	return __atomic_load_n(&dl->armed, __ATOMIC_ACQUIRE);
}

/* Called with the list of leases locked, by whoever breaks it. */
static bool lease_breaking(struct lease *l)
{
	struct dax_lease *dl = container_of(l, struct dax_lease, lease);

	__atomic_store_n(&dl->breaking, true, __ATOMIC_RELEASE);
	l->until_ns = 0; /* no deadline: we unlock, or nobody does */
	set_due(dl, clock_ns() + POLL_NS);
	return false;
}

static const struct lease_ops ops = {.what = "get_user_pages", .breaking = lease_breaking};

/* poll_lock held. The file's reference is the caller's to give back. */
static struct dax_inode *finish(struct dax_lease *dl)
{
	struct dax_inode *inode = dl->inode;

	LIST_REMOVE(dl, link);
	lease_unlock(&dl->lease);
	free(dl->pages);
	free(dl);
	return inode;
}

/* Nobody breaks it: do it ourselves, so that its pages are looked at. As the file system's
 * dax_flush_dma did it, the whole file's leases go. */
static void reap(struct dax_inode *inode)
{
	down_write(&inode->fault_lock);
	lease_break(&inode->leases, LEASE_ALL, false);
	up_write(&inode->fault_lock);
}

/* One lease that is due. poll_lock held, and given up for what sleeps on a file's locks. */
static void look_at(struct dax_lease *dl)
{
	struct dax_inode *inode = dl->inode;
	bool breaking = __atomic_load_n(&dl->breaking, __ATOMIC_ACQUIRE);

	lease_polls++;
	set_due(dl, clock_ns() + POLL_NS);
	if (breaking && (!is_armed(dl) || any_busy(dl)))
		return;
	in_flight = inode->fs;
	if (breaking)
		finish(dl);
	else
		dax_get(inode);
	mutex_unlock(&poll_lock);
	if (!breaking)
		reap(inode);
	dax_put(inode);
	mutex_lock(&poll_lock);
	in_flight = NULL;
	wake_up(&in_flight);
}

/* The lease that is due first. poll_lock held; there is one. */
static struct dax_lease *first_due(void)
{
	struct dax_lease *dl, *first = LIST_FIRST(&all);

	LIST_FOREACH (dl, &all, link)
		if (due(dl) < due(first))
			first = dl;
	return first;
}

/* Runs as long as there is a lease. It need not be woken for a new date: none is set less than a
 * second ahead, and it sleeps no longer than that. */
static void poller(void *unused)
{
	(void)unused;
	mutex_lock(&poll_lock);
	while (!LIST_EMPTY(&all)) {
		struct dax_lease *dl = first_due();
		uint64_t now = clock_ns(), at = due(dl);

		if (now >= at) {
			look_at(dl);
			continue;
		}
		mutex_unlock(&poll_lock);
		thread_sleep_ns(MIN(at - now, POLL_NS));
		mutex_lock(&poll_lock);
	}
	poller_runs = false;
	mutex_unlock(&poll_lock);
}

/* poll_lock held. */
static int start_poller(void)
{
	struct thread *t;

	if (poller_runs)
		return 0;
	t = thread_create("lease poll", poller, NULL, 0);
	if (!t)
		return -ENOMEM;
	thread_detach(t);
	poller_runs = true;
	return 0;
}

/* ---- the steps of a layout change --------------------------------------------------------------
 */

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
	(void)inode; /* no lease is left, or the file would not go; who has none is not asked (C-3)
		      */
	return 0;
}

/* ---- get_user_pages ----------------------------------------------------------------------------
 */

static struct dax_lease *lease_new(struct dax_inode *inode, unsigned long nr)
{
	struct dax_lease *dl = calloc(1, sizeof(*dl));

	if (!dl)
		return NULL;
	dl->lease.class = LEASE_ALLOCATED;
	dl->lease.ops = &ops;
	dl->lease.owner = dl;
	dl->inode = inode;
	dl->due_ns = NEVER;
	dl->pages = malloc(nr * sizeof(*dl->pages));
	if (dl->pages)
		return dl;
	free(dl);
	return NULL;
}

static int gup_begin(struct dax_inode *inode, unsigned long nr, void **cookie)
{
	struct dax_lease *dl = lease_new(inode, nr);
	int err;

	if (!dl)
		return -ENOMEM;
	dax_get(inode);
	mutex_lock(&poll_lock);
	LIST_INSERT_HEAD(&all, dl, link);
	err = start_poller();
	mutex_unlock(&poll_lock);
	if (!err) {
		/* Not while a truncate is between its break and its end. */
		down_write(&inode->fault_lock);
		err = lease_set(&inode->leases, &dl->lease, true);
		up_write(&inode->fault_lock);
	}
	if (err) {
		mutex_lock(&poll_lock);
		finish(dl);
		mutex_unlock(&poll_lock);
		dax_put(inode);
		return err;
	}
	*cookie = dl;
	return 0;
}

static void gup_end(void *cookie, struct page **pages, unsigned long nr)
{
	struct dax_lease *dl = cookie;
	struct dax_inode *inode = NULL;

	mutex_lock(&poll_lock);
	memcpy(dl->pages, pages, nr * sizeof(*pages));
	dl->nr = nr;
	if (!nr) {
		inode = finish(dl);
	} else {
		/* The pages before the mark, else the poll looks at none and calls them idle. */
		__atomic_store_n(&dl->armed, true, __ATOMIC_RELEASE);
		set_due(dl, clock_ns() + POLL_NS);
	}
	mutex_unlock(&poll_lock);
	if (inode)
		dax_put(inode);
}

/* Leases of this file, by the poll's list. poll_lock held. */
static unsigned leases_of(const struct dax_inode *inode)
{
	const struct dax_lease *dl;
	unsigned n = 0;

	LIST_FOREACH (dl, &all, link)
		n += dl->inode == inode;
	return n;
}

/* Is the lease good for nothing any more? A call that never said what it got (B-2), of a file that
 * nobody has open or mapped, is not running. poll_lock held. */
static bool is_over(const struct dax_lease *dl)
{
	if (is_armed(dl))
		return !any_busy(dl);
	return dl->inode->refs == leases_of(dl->inode);
}

/* Leases hold their files. An unmount need not wait a second for those whose pages are idle. */
static void settle(struct dax_fs *fs)
{
	struct dax_lease *dl;
	struct dax_inode *inode;

	mutex_lock(&poll_lock);
	do {
		while (in_flight == fs) {
			mutex_unlock(&poll_lock);
			wait_event(&in_flight, in_flight != fs, "the poll of a lease", "the poll");
			mutex_lock(&poll_lock);
		}
		LIST_FOREACH (dl, &all, link)
			if (dl->inode->fs == fs && is_over(dl))
				break;
		inode = dl ? finish(dl) : NULL;
		mutex_unlock(&poll_lock);
		if (inode)
			dax_put(inode);
		mutex_lock(&poll_lock);
	} while (dl);
	mutex_unlock(&poll_lock);
}

const struct lifetime lifetime_lease_poll = {
	.name = "lease-poll",
	.who = "proposed for Linux in 2017",
	.busy_truncate = "truncate frees the block (B-7); punch waits for the calls' leases",
	.mapping_holds = "nothing; the entry links page and file",
	.busy_test = "references > 1 of a leased page, once a second",
	.waker = "a poll that unlocks the lease, up to a second after the put",
	.fixed = "A-1 for punch, zero, collapse and insert",
	.broken = "B-1 (first VMA only), B-2 (lost lease), B-3 (a lease and polls per call), B-4 "
		  "(ways without a lease), B-6 (starvation), B-7 (truncate not wired), C-4",
	.rest = 1,
	.associates = true,
	.mapped_holds = false,
	.no_fast_gup = true,
	.unbind = UNBIND_WAITS_FOR_REFERENCES,
	.pgmap_ops = {.page_idle = last_put},
	.insert = insert,
	.remove = remove_entries,
	.busy = busy,
	.wait_idle = wait_idle,
	.scan = scan,
	.break_layout = break_layout,
	.evict = evict,
	.gup_begin = gup_begin,
	.gup_end = gup_end,
	.settle = settle,
};
