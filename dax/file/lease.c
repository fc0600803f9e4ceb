/* SPDX-License-Identifier: MIT */
/*
 * The lease core, as Linux's file locks of class FL_LAYOUT do it.
 *
 *   SET → PENDING (broken: its owner was asked, once, and has lease_break_time) → off the list,
 *   by its owner's unlock, by its time being over, or because its owner said "at once".
 *
 * The breaker starts the break of every lease in his way under one hold of the list's lock, then
 * sleeps for the first of them, and looks at all again: meanwhile new ones may have come. An owner
 * that answers a break by setting his deadline to zero (never) turns the breaker's wait into a
 * poll, one look a tick: so Linux does, and lease-poll lives by it.
 */
#include "dax/dax.h"

#define TICK_NS 10000000ull

uint64_t lease_break_time_ns = 45ull * 1000000000;
bool leases_enabled = true;
unsigned long lease_wakes;

void lease_list_init(struct lease_list *ll, bool regular)
{
	*ll = (struct lease_list){.regular = regular};
	spin_init(&ll->lock, "leases");
	LIST_INIT(&ll->leases);
}

/* lock held. */
static void take_out(struct lease_list *ll, struct lease *l)
{
	LIST_REMOVE(l, link);
	l->list = NULL;
	ll->gone++;
}

/* After the lock: breakers look again, the owner is told. */
static void tell_gone(struct lease_list *ll, struct lease *l)
{
	wake_up(ll);
	if (l->ops->gone)
		l->ops->gone(l);
}

/* Is a lease of the list being broken, and in the way of a new one of `class`? lock held. */
static bool pending_against(const struct lease_list *ll, unsigned class)
{
	const struct lease *l;

	LIST_FOREACH (l, &ll->leases, link)
		if (l->pending && !(class == LEASE_ALLOCATED && l->class == LEASE_ALLOCATED))
			return true;
	return false;
}

int lease_set(struct lease_list *ll, struct lease *l, bool may)
{
	int err = 0;

	if (!may)
		return -EACCES;
	if (!ll->regular || !leases_enabled)
		return -EINVAL;
	spin_lock(&ll->lock);
	if (pending_against(ll, l->class)) {
		err = -EAGAIN;
	} else {
		l->pending = false;
		l->until_ns = 0;
		l->list = ll;
		LIST_INSERT_HEAD(&ll->leases, l, link);
	}
	spin_unlock(&ll->lock);
	return err;
}

/* One lease whose time is over leaves the list; NULL: there is none. lock held. */
static struct lease *take_expired(struct lease_list *ll, uint64_t now)
{
	struct lease *l;

	LIST_FOREACH (l, &ll->leases, link)
		if (l->pending && l->until_ns && now >= l->until_ns)
			break;
	if (l)
		take_out(ll, l);
	return l;
}

/* One lease in the way that was not asked yet is, and goes if its owner says so; value: that one,
 * NULL: all have been asked and stay. lock held. */
static struct lease *ask_next(struct lease_list *ll, unsigned classes, uint64_t now)
{
	struct lease *l;

	LIST_FOREACH (l, &ll->leases, link) {
		if (l->pending || !(l->class & classes))
			continue;
		l->pending = true;
		l->until_ns = lease_break_time_ns ? now + lease_break_time_ns : 0;
		if (l->ops->breaking && l->ops->breaking(l)) {
			take_out(ll, l);
			return l;
		}
	}
	return NULL;
}

/* Starts what there is to break. True: some are left; *until is when to look again at the latest,
 * *seen how many had gone by then. */
static bool start_break(struct lease_list *ll, unsigned classes, uint64_t *until, uint64_t *seen)
{
	struct lease *l, *away;
	bool left = false;

	do {
		uint64_t now = clock_ns();

		spin_lock(&ll->lock);
		away = take_expired(ll, now);
		if (!away)
			away = ask_next(ll, classes, now);
		LIST_FOREACH (l, &ll->leases, link)
			if (!away && !left && (l->class & classes)) {
				left = true;
				*until = l->until_ns ? l->until_ns : now + TICK_NS;
			}
		*seen = ll->gone;
		spin_unlock(&ll->lock);
		if (away)
			tell_gone(ll, away);
	} while (away);
	return left;
}

static uint64_t count_gone(const struct lease_list *ll)
{
	return __atomic_load_n(&ll->gone, __ATOMIC_ACQUIRE);
}

/* Until one more than `seen` has gone, or the deadline. -EINTR: a signal. */
static int sleep_for_one(struct lease_list *ll, uint64_t seen, uint64_t until)
{
	struct waiter w = {0};
	int err = 0;

	assert_no_global_lock("a lease");
	for (;;) {
		wait_prepare(&w, ll, "a lease of the file to be given back",
			     "lease_unlock() by its owner, or its break time");
		w.interruptible = true;
		if (count_gone(ll) != seen)
			break;
		err = signal_pending() ? -EINTR : 0;
		if (err || !wait_sleep_until(&w, until))
			break;
	}
	wait_finish(&w);
	return err;
}

int lease_break_some(struct lease_list *ll, unsigned classes, bool wait)
{
	uint64_t until = 0, seen = 0;
	int err = 0;

	while (!err && start_break(ll, classes, &until, &seen)) {
		if (!wait)
			return -EWOULDBLOCK;
		err = sleep_for_one(ll, seen, until);
		__atomic_fetch_add(&lease_wakes, 1, __ATOMIC_RELAXED);
	}
	return err;
}

void lease_unlock(struct lease *l)
{
	struct lease_list *ll = l->list;

	if (!ll)
		return;
	spin_lock(&ll->lock);
	if (l->list)
		take_out(ll, l);
	else
		ll = NULL; /* it expired in this very moment */
	spin_unlock(&ll->lock);
	if (ll)
		tell_gone(ll, l);
}

void lease_drop_all(struct lease_list *ll)
{
	struct lease *l;

	do {
		spin_lock(&ll->lock);
		l = LIST_FIRST(&ll->leases);
		if (l)
			take_out(ll, l);
		spin_unlock(&ll->lock);
		if (l)
			tell_gone(ll, l);
	} while (l);
}

unsigned lease_count(struct lease_list *ll, unsigned classes)
{
	const struct lease *l;
	unsigned n = 0;

	spin_lock(&ll->lock);
	LIST_FOREACH (l, &ll->leases, link)
		n += (l->class & classes) != 0;
	spin_unlock(&ll->lock);
	return n;
}
