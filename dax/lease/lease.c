/* SPDX-License-Identifier: MIT */
/*
 * The lease core, as Linux's file locks of class FL_LAYOUT do it, and with what MAP_DIRECT wanted
 * of them: a break in two phases.
 *
 *   SET → PENDING (its owner was told, once, and has lease_break_time) → off the list: unlocked by
 *   its owner in time; or → REVOKING (its time is over, or its owner said "at once") → off the
 * list.
 *
 * The breaker tells the owner of every lease in its way under one hold of the lock, then sleeps
 * until one of them has left, and looks at all again: meanwhile new ones may have come. The time is
 * not the breaker's to keep: a fault starts a break and does not wait, and its lease must end all
 * the same. The revoker keeps it, one thread for all leases (started at boot, so that no break can
 * fail for want of memory), in the order of their deadlines. It calls what the owner registered,
 * with no lock held, while the lease is still in the list: nothing that it protects may change
 * before that is over.
 *
 * An owner that answers a break by setting its deadline to zero (never) turns the breaker's wait
 * into a poll, one look a tick: so Linux does, and lease-poll lives by it.
 */
#include "dax/dax.h"

#define TICK_NS 10000000ull
#define NEVER	UINT64_MAX

MUSEUM(lease_under_break, "lease-under-break",
       "a lease is set while another one is being broken: the breaker never sees its end; shown by "
       "selftest lease.set-refusals");
MUSEUM(gone_uncounted, "lease-gone-uncounted",
       "a lease that goes is not counted, and the breaker that it wakes sleeps on; found by "
       "explore lease.unlock-break");
MUSEUM(break_looks_once, "break-looks-once",
       "a breaker goes on when the first lease has gone, though others are there; shown by "
       "selftest lease.all-of-them");
MUSEUM_EXPLORED(
	revoke_unawaited, "revoke-unawaited",
	"an unlock does not wait for the revoke that runs: the owner frees what the revoker "
	"looks through; found by explore direct.munmap-break");

uint64_t lease_break_time_ns = 45ull * 1000000000;
bool leases_enabled = true;
unsigned long lease_wakes;

/* One lock for all leases: few files have any, and the look that every write takes needs none. It
 * protects the lists and what of a lease is the core's. */
static struct spinlock lock = SPINLOCK_INIT("leases");
static TAILQ_HEAD(due_list, lease) due = TAILQ_HEAD_INITIALIZER(due); /* first deadline first */
static TAILQ_HEAD(, lease) all = TAILQ_HEAD_INITIALIZER(all);
static struct lease *running;	      /* whose revoke or gone the revoker is in; NULL: none */
static struct lease_list *running_in; /* the list that it is in, or was */
static const struct thread *revoker;  /* of `running` */

void lease_list_init(struct lease_list *ll, bool regular)
{
	*ll = (struct lease_list){.regular = regular};
	TAILQ_INIT(&ll->leases);
}

/* ---- into the list and out of it; lock held ------------------------------------------------- */

static bool has_deadline(const struct lease *l)
{
	return l->pending && l->until_ns && !l->revoking;
}

/* One more or less; who is about to break LEASE_LAYOUT alone reads it without the lock. */
static void count(struct lease_list *ll, const struct lease *l, uint32_t n)
{
	if (l->class == LEASE_LAYOUT)
		__atomic_store_n(&ll->layouts, ll->layouts + n, __ATOMIC_RELEASE);
}

/* One more has gone: who sleeps for that looks without the lock. lock held. */
static void count_one_gone(struct lease_list *ll)
{
	__atomic_store_n(&ll->gone, ll->gone + 1, __ATOMIC_RELEASE);
}

/* TAILQ_INSERT_TAIL() and TAILQ_REMOVE() whose store to what may be the list's head is atomic:
 * lease_break() looks for a first one without the lock. */
static void insert_last(struct lease_list *ll, struct lease *l)
{
	l->link.tqe_next = NULL;
	l->link.tqe_prev = ll->leases.tqh_last;
	__atomic_store_n(ll->leases.tqh_last, l, __ATOMIC_RELEASE);
	ll->leases.tqh_last = &l->link.tqe_next;
}

static void remove_from(struct lease_list *ll, struct lease *l)
{
	struct lease *next = l->link.tqe_next, **prev = l->link.tqe_prev;

	if (next)
		next->link.tqe_prev = prev;
	else
		ll->leases.tqh_last = prev;
	__atomic_store_n(prev, next, __ATOMIC_RELEASE);
}

static void take_out(struct lease *l)
{
	struct lease_list *ll = l->list;

	if (has_deadline(l))
		TAILQ_REMOVE(&due, l, due);
	remove_from(ll, l);
	TAILQ_REMOVE(&all, l, all);
	count(ll, l, -1u);
	l->list = NULL;
	if (!museum_on(gone_uncounted))
		count_one_gone(ll);
}

/* Behind those that are due no later. */
static void enter_due(struct lease *l)
{
	struct lease *before;

	TAILQ_FOREACH_REVERSE(before, &due, due_list, due)
	if (before->until_ns <= l->until_ns)
		break;
	if (before)
		TAILQ_INSERT_AFTER(&due, before, l, due);
	else
		TAILQ_INSERT_HEAD(&due, l, due);
}

/* Is a lease of the list being broken, and in the way of a new one of `class`? */
static bool pending_against(const struct lease_list *ll, unsigned class)
{
	const struct lease *l;

	TAILQ_FOREACH (l, &ll->leases, link)
		if (l->pending && !(class == LEASE_ALLOCATED && l->class == LEASE_ALLOCATED))
			return true;
	return false;
}

/* ---- set, unlock ------------------------------------------------------------------------------
 */

/* After the lock: breakers look again, the owner is told, the revoker looks for its next date. */
static void tell_gone(struct lease_list *ll, struct lease *l)
{
	bool dated = l->pending && l->until_ns;

	wake_up(ll);
	if (l->ops->gone)
		l->ops->gone(l);
	if (dated)
		wake_up(&due);
}

int lease_set(struct lease_list *ll, struct lease *l, bool may)
{
	int err = 0;

	if (!may)
		return -EACCES;
	if (!ll->regular || !leases_enabled)
		return -EINVAL;
	spin_lock(&lock);
	if (pending_against(ll, l->class) && !museum_on(lease_under_break)) {
		err = -EAGAIN;
	} else {
		l->pending = l->revoking = false;
		l->until_ns = 0;
		l->list = ll;
		TAILQ_INSERT_TAIL(&all, l, all);
		insert_last(ll, l);
		count(ll, l, 1);
	}
	spin_unlock(&lock);
	return err;
}

static bool revoke_is_over(const struct lease *l)
{
	return __atomic_load_n(&running, __ATOMIC_ACQUIRE) != l;
}

static void wait_for_revoke(const struct lease *l)
{
	ASSERT(revoke_is_over(l) || current_thread() != revoker,
	       "a lease is unlocked by its own revoke (%s)", l->ops->what);
	wait_event(&running, revoke_is_over(l), "the revoke of a lease to end",
		   "the lease revoker");
}

/* Where it left; NULL: it was in no list, or *revoked: it is being revoked. */
static struct lease_list *leave(struct lease *l, bool *revoked)
{
	struct lease_list *ll;

	spin_lock(&lock);
	*revoked = running == l;
	ll = *revoked ? NULL : l->list;
	if (ll)
		take_out(l);
	spin_unlock(&lock);
	return ll;
}

void lease_unlock(struct lease *l)
{
	struct lease_list *ll;
	bool revoked;

	/* Once more after a revoke: it may have been of an earlier lease at this address. */
	while (!(ll = leave(l, &revoked)) && revoked && !museum_explored(revoke_unawaited))
		wait_for_revoke(l);
	if (ll)
		tell_gone(ll, l);
}

void lease_drop_all(struct lease_list *ll)
{
	struct lease *l, *revoked;

	do {
		spin_lock(&lock);
		revoked = running_in == ll ? running : NULL;
		l = revoked ? NULL : TAILQ_FIRST(&ll->leases);
		if (l)
			take_out(l);
		spin_unlock(&lock);
		if (revoked)
			wait_for_revoke(revoked);
		else if (l)
			tell_gone(ll, l);
	} while (l || revoked);
}

/* ---- the first phase: told --------------------------------------------------------------------
 */

/* Its holder's thread reads it at its prompt, or when it likes. lock held. */
static void notify(const struct lease *l, uint64_t now)
{
	char left[40] = "when its owner lets go";

	if (!l->tid)
		return;
	if (l->until_ns)
		snprintf(left, sizeof(left), "in %lu ms at the latest",
			 (l->until_ns - now) / 1000000);
	notice_post(l->tid, "%s: its blocks are to change; the lease of %s%s%s%s ends %s",
		    l->file ? l->file : "a file", l->name ? l->name : "", l->name ? " (" : "",
		    l->ops->what, l->name ? ")" : "", left);
}

/* True: it is off the list already. lock held. */
static bool tell(struct lease *l, uint64_t now)
{
	bool at_once;

	__atomic_store_n(&l->pending, true, __ATOMIC_RELEASE); /* direct_lease_is_broken() */
	l->until_ns = lease_break_time_ns ? now + lease_break_time_ns : 0;
	at_once = l->ops->told && l->ops->told(l);
	if (at_once && !l->ops->revoke) {
		l->until_ns = 0;
		notify(l, now);
		take_out(l);
		return true;
	}
	if (at_once)
		l->until_ns = now;
	if (l->until_ns)
		enter_due(l);
	notify(l, now);
	return false;
}

/* Tells one lease after the other; value: one that left at once, NULL: all are told and stay. lock
 * held. */
static struct lease *tell_next(struct lease_list *ll, unsigned classes, uint64_t now)
{
	struct lease *l;

	TAILQ_FOREACH (l, &ll->leases, link)
		if (!l->pending && (l->class & classes) && tell(l, now))
			return l;
	return NULL;
}

/* Until when a breaker may sleep if nothing leaves: for ever, unless an owner gave no date; zero:
 * nothing is in the way. lock held. */
static uint64_t patience(const struct lease_list *ll, unsigned classes, uint64_t now)
{
	const struct lease *l;
	uint64_t until = 0;

	TAILQ_FOREACH (l, &ll->leases, link)
		if (l->class & classes)
			until = !l->until_ns ? now + TICK_NS : until ? until : NEVER;
	return until;
}

/* Starts what there is to break. True: some are left; *until is when to look again at the latest,
 * *seen how many had gone by then. */
static bool start_break(struct lease_list *ll, unsigned classes, uint64_t *until, uint64_t *seen)
{
	struct lease *away;
	bool earlier = false;

	do {
		uint64_t now = clock_ns();
		const struct lease *first;

		spin_lock(&lock);
		first = TAILQ_FIRST(&due);
		away = tell_next(ll, classes, now);
		earlier = earlier || TAILQ_FIRST(&due) != first;
		*until = patience(ll, classes, now);
		if (!*until && running_in == ll)
			*until = NEVER; /* off the list, and its owner is just being told */
		*seen = ll->gone;
		spin_unlock(&lock);
		if (away)
			tell_gone(ll, away);
	} while (away);
	if (earlier) /* not at each look of who polls */
		wake_up(&due);
	return *until != 0;
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
		if (err)
			break;
		if (until == NEVER)
			wait_sleep(&w);
		else if (!wait_sleep_until(&w, until))
			break;
	}
	wait_finish(&w);
	return err;
}

int lease_break_some(struct lease_list *ll, unsigned classes, bool wait)
{
	uint64_t until = 0, seen = 0;
	int err = 0;

	if (classes == LEASE_LAYOUT && !__atomic_load_n(&ll->layouts, __ATOMIC_ACQUIRE))
		return 0;
	while (!err && start_break(ll, classes, &until, &seen)) {
		if (!wait)
			return -EWOULDBLOCK;
		err = sleep_for_one(ll, seen, until);
		__atomic_fetch_add(&lease_wakes, 1, __ATOMIC_RELAXED);
		if (museum_on(break_looks_once))
			break;
	}
	return err;
}

/* ---- the second phase: revoked ----------------------------------------------------------------
 */

/* The lease that is due by now, which is `running` then, by this thread; NULL: none. */
static struct lease *first_due_lease(uint64_t now)
{
	struct lease *l;

	spin_lock(&lock);
	l = TAILQ_FIRST(&due);
	if (l && now < l->until_ns)
		l = NULL;
	if (l) {
		revoker = current_thread();
		TAILQ_REMOVE(&due, l, due);
		l->revoking = true;
		running_in = l->list;
		__atomic_store_n(&running, l, __ATOMIC_RELEASE);
	}
	spin_unlock(&lock);
	return l;
}

static void revoke(struct lease *l)
{
	struct lease_list *ll = l->list;

	/* LAB 09 take-back: what a deaf owner has, and then the lease */
	if (l->ops->revoke)
		l->ops->revoke(l);
	/* Off the list after the revoke, else a breaker changes what it still protects. */
	spin_lock(&lock);
	take_out(l);
	spin_unlock(&lock);
	if (l->ops->gone)
		l->ops->gone(l);
	/* END */
	/* `l` may be freed by now. The list is there: whoever drops it waits for this. Breakers
	 * look again behind the owner's gone, which they may rely on. */
	spin_lock(&lock);
	count_one_gone(ll);
	running_in = NULL;
	__atomic_store_n(&running, NULL, __ATOMIC_RELEASE);
	spin_unlock(&lock);
	wake_up(ll);
	wake_up(&running);
}

bool lease_revoke_due(uint64_t now)
{
	struct lease *l = first_due_lease(now);

	if (l)
		revoke(l);
	return l;
}

/* The first date; zero: it is over. */
static uint64_t first_date(void)
{
	const struct lease *l;
	uint64_t until;

	spin_lock(&lock);
	l = TAILQ_FIRST(&due);
	until = l ? l->until_ns : NEVER;
	spin_unlock(&lock);
	return until > clock_ns() ? until : 0;
}

void lease_wait_due(void)
{
	struct waiter w = {0};
	uint64_t until;

	do {
		wait_prepare(&w, &due, "the break time of a lease to be over",
			     "lease_break(), for a lease with an earlier one");
		until = first_date();
		if (until == NEVER)
			wait_sleep(&w);
		else if (until)
			wait_sleep_until(&w, until);
		wait_finish(&w);
		w = (struct waiter){0};
	} while (until);
}

/* ---- questions --------------------------------------------------------------------------------
 */

unsigned lease_count(struct lease_list *ll, unsigned classes)
{
	const struct lease *l;
	unsigned n = 0;

	spin_lock(&lock);
	TAILQ_FOREACH (l, &ll->leases, link)
		n += (l->class & classes) != 0;
	spin_unlock(&lock);
	return n;
}

void lease_for_each(void (*fn)(const struct lease *l, void *arg), void *arg)
{
	const struct lease *l;

	spin_lock(&lock);
	TAILQ_FOREACH (l, &all, all)
		fn(l, arg);
	spin_unlock(&lock);
}
