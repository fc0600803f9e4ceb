/* SPDX-License-Identifier: MIT */
/*
 * Wait queues, hashed by the address waited for.
 *
 * One wake, step by step. Left the waker, right the waiter; time runs down.
 *
 *     condition = true                     enlist in the bucket
 *     (full barrier)                       (full barrier, behind the bucket's unlock)
 *     bucket empty? done                   test the condition
 *     else: mark each waiter on this       not true: sleep, unless marked
 *     key, make its thread ready           (marks are tested under the run-queue lock)
 *
 * Without the two barriers both could miss: the waker sees an empty bucket while the waiter still
 * sees the old condition. Only the waiter takes itself off the list, so the structure on its stack
 * lives as long as a waker with the bucket's lock can see it. Lock order: bucket, then run queue.
 */
#include "kernel/sched/internal.h"

TAILQ_HEAD(waiter_list, waiter);
struct bucket {
	struct spinlock lock;
	struct waiter_list list;
};
static struct bucket buckets[WAIT_BUCKETS];
/* Changed under the bucket's lock; zero means a wake has nobody to look for. Apart from the
 * buckets, so that a wake without a waiter reads one word of a small table. */
uint32_t wait_counts[WAIT_BUCKETS];

MUSEUM_EXPLORED(wake_one, "wake-first-only",
		"a wake ends with the first waiter, though all may go on; found by explore "
		"wait.two");
MUSEUM_EXPLORED(
	enlist_late, "enlist-late",
	"a waiter enlists when it goes to sleep, behind its look at the condition: a wake in "
	"between finds nobody; found by explore wait.one");
MUSEUM_EXPLORED(
	wake_unfenced, "wake-unfenced",
	"a wake looks for waiters while its condition is still in the store buffer; found by "
	"explore wait.one model=tso");
MUSEUM_EXPLORED(
	woken_late, "woken-told-late",
	"a waiter is made ready before it is marked as woken: it sleeps again, and the mark "
	"comes too late; found by explore wait.one");
MUSEUM_EXPLORED(
	count_open, "count-with-interrupts",
	"waiters are counted under the bucket's lock with interrupts on: a wake in a handler "
	"waits for the lock of the thread that it interrupted; found by explore wait.count");

void wait_init(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(buckets); i++) {
		spin_init(&buckets[i].lock, "wait bucket");
		TAILQ_INIT(&buckets[i].list);
	}
}

static void enlist(struct waiter *w)
{
	unsigned i = wait_bucket(w->key);
	uint64_t flags;

	/* LAB 05 enlist: stand where wakers look, before the caller looks at its condition */
	flags = spin_lock_irqsave(&buckets[i].lock);
	TAILQ_INSERT_TAIL(&buckets[i].list, w, link);
	__atomic_store_n(&wait_counts[i], wait_counts[i] + 1, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&buckets[i].lock, flags);
	w->enlisted = true;
	/* Enlisted before the caller tests its condition, else its waker finds nobody. */
	smp_mb();
	/* END */
}

void wait_prepare(struct waiter *w, const void *key, const char *what, const char *waker)
{
	might_sleep();
	ASSERT(!w->enlisted, "a waiter enlists once: wait_finish() before the next wait ('%s')",
	       what);
	w->key = key;
	w->thread = current_thread();
	w->what = what;
	w->waker = waker;
	w->woken = w->timed_out = w->interruptible = false;
	if (w->since_ns == 0)
		w->since_ns = clock_ns();
	if (museum_explored(enlist_late))
		return;
	enlist(w);
}

void wait_finish(struct waiter *w)
{
	unsigned i = wait_bucket(w->key);
	uint64_t flags;

	if (!w->enlisted)
		return;
	flags = spin_lock_irqsave(&buckets[i].lock);
	TAILQ_REMOVE(&buckets[i].list, w, link);
	__atomic_store_n(&wait_counts[i], wait_counts[i] - 1, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&buckets[i].lock, flags);
	w->enlisted = false;
}

void wait_sleep(struct waiter *w)
{
	might_sleep();
	if (museum_explored(enlist_late))
		enlist(w);
	sched_sleep(w);
	wait_finish(w);
}

/* A deadline on the sleeper's stack. */
struct alarm {
	struct timer timer;
	struct waiter *w;
};

static void ring(struct timer *t)
{
	struct waiter *w = container_of(t, struct alarm, timer)->w;

	__atomic_store_n(&w->timed_out, true, __ATOMIC_RELEASE);
	sched_wake(w->thread);
}

bool wait_sleep_until(struct waiter *w, uint64_t deadline_ns)
{
	struct alarm a = {.w = w};

	might_sleep();
	timer_arm(&a.timer, deadline_ns, ring);
	sched_sleep(w);
	timer_cancel_wait(&a.timer);
	wait_finish(w);
	return !w->timed_out || w->woken;
}

/* The key's bucket is not empty. */
static int __attribute__((noinline)) wake_waiters(const void *key)
{
	struct bucket *b = &buckets[wait_bucket(key)];
	uint64_t flags = irq_save();
	struct waiter *w;
	int n = 0;

	spin_lock(&b->lock);
	/* LAB 05 mark: every waiter on this key is told, and made ready */
	TAILQ_FOREACH (w, &b->list, link) {
		if (w->key != key || w->woken)
			continue;
		if (!museum_explored(woken_late))
			__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		sched_wake_irqs_off(w->thread);
		if (museum_explored(woken_late))
			__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		n++;
		if (museum_explored(wake_one))
			break;
	}
	/* END */
	spin_unlock(&b->lock);
	irq_restore(flags);
	return n;
}

int wake_up(const void *key)
{
	/* LAB 05 wake: is there anybody to look for? */
	/* The caller's condition before our look at the count, else a waiter that saw the old
	 * condition is not seen here. */
	if (!museum_explored(wake_unfenced))
		smp_mb();
	return wait_maybe(key) ? wake_waiters(key) : 0;
	/* END */
}

int waiters_on(const void *key)
{
	struct bucket *b = &buckets[wait_bucket(key)];
	uint64_t flags = spin_lock_irqsave(&b->lock);
	const struct waiter *w;
	int n = 0;

	if (museum_explored(count_open))
		irq_enable();
	TAILQ_FOREACH (w, &b->list, link) {
		if (w->key == key && !w->woken)
			n++;
	}
	spin_unlock_irqrestore(&b->lock, flags);
	return n;
}
