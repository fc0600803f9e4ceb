/* SPDX-License-Identifier: MIT */
/*
 * Leases of get_user_pages() calls, and the poll that ends them: the machinery of the lifetime
 * lease-poll, whose steps are in lifetime/lease-poll.c.
 *
 * A lease: SET (no pages yet) → ARMED (it has them) → BREAKING (looked at every second) → gone. One
 * that nobody breaks is broken by ourselves a second after it was armed, so that they do not pile
 * up. A lease holds its file, and lists its pages without holding them: the call does.
 */
#include "dax/lifetime/internal.h"

#define POLL_NS 1000000000ull
#define NEVER	UINT64_MAX

struct dax_lease {
	struct gup_cookie cookie; /* first: what gup_end is given */
	struct lease lease;
	struct dax_inode *inode; /* one reference */
	unsigned long nr; /* ARMED: `pages` is what the call got; zero means it has none yet */
	uint64_t due_ns;  /* when it is looked at next; NEVER: not before it is armed or broken */
	LIST_ENTRY(dax_lease) link;
	struct page *pages[]; /* room for what was asked for */
};

static struct mutex poll_lock =
	MUTEX_INIT_GLOBAL("lease poll"); /* leases come, go and are looked at */
static LIST_HEAD(, dax_lease) all = LIST_HEAD_INITIALIZER(all); /* poll_lock */
static bool poller_runs;					/* poll_lock */
static struct dax_fs *in_flight; /* poll_lock: of the file that the poller is at; NULL: none */
unsigned long lease_polls;

/* ---- the poll ---- */

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
		if (dl->cookie.lifetime->busy(dl->pages[i]))
			return true;
	return false;
}

static bool is_armed(const struct dax_lease *dl)
{
	/* The pages before their number: see gup_lease_end(). */
	return __atomic_load_n(&dl->nr, __ATOMIC_ACQUIRE) != 0;
}

/* Somebody waits: lease_told() ran, or does so under the lock that lease_unlock() takes. */
static bool is_breaking(const struct dax_lease *dl)
{
	return __atomic_load_n(&dl->lease.pending, __ATOMIC_ACQUIRE);
}

/* Called with the leases locked, by whoever breaks it. */
static bool lease_told(struct lease *l)
{
	struct dax_lease *dl = container_of(l, struct dax_lease, lease);

	l->until_ns = 0; /* no deadline: we unlock, or nobody does */
	set_due(dl, clock_ns() + POLL_NS);
	return false;
}

static const struct lease_ops ops = {.what = "get_user_pages", .told = lease_told};

/* poll_lock held. The file's reference is the caller's to give back. */
static struct dax_inode *finish(struct dax_lease *dl)
{
	struct dax_inode *inode = dl->inode;

	LIST_REMOVE(dl, link);
	lease_unlock(&dl->lease);
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
	bool breaking = is_breaking(dl);

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

/* ---- a call begins and ends ---- */

static struct dax_lease *lease_new(struct dax_inode *inode, unsigned long nr)
{
	struct dax_lease *dl = malloc(sizeof(*dl) + nr * sizeof(dl->pages[0]));

	if (!dl)
		return NULL;
	memset(dl, 0, sizeof(*dl));
	dl->cookie.lifetime = inode->fs->lifetime;
	dl->lease.class = LEASE_ALLOCATED;
	dl->lease.ops = &ops;
	dl->lease.file = inode->name;
	dl->inode = inode;
	dl->due_ns = NEVER;
	return dl;
}

int gup_lease_begin(struct dax_inode *inode, unsigned long nr, void **cookie)
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

void gup_lease_end(void *cookie, struct page **pages, unsigned long nr)
{
	struct dax_lease *dl = cookie;
	struct dax_inode *inode = NULL;

	mutex_lock(&poll_lock);
	memcpy(dl->pages, pages, nr * sizeof(*pages));
	if (!nr) {
		inode = finish(dl);
	} else {
		/* The pages before their number, else the poll looks at what is none. */
		__atomic_store_n(&dl->nr, nr, __ATOMIC_RELEASE);
		set_due(dl, clock_ns() + POLL_NS);
	}
	mutex_unlock(&poll_lock);
	if (inode)
		dax_put(inode);
}

/* ---- an unmount ---- */

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
void gup_lease_settle(struct dax_fs *fs)
{
	struct dax_lease *dl;
	struct dax_inode *inode;

	assert_no_global_lock("the poll of a lease");
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
