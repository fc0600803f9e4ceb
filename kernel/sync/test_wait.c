/* SPDX-License-Identifier: MIT */
/* Self-tests: wait queues and signals (wait.*). */
#include "kernel/kernel.h"

static unsigned flag, done;
static int result;

static void wait_for_flag(void *arg __attribute__((unused)))
{
	wait_event(&flag, __atomic_load_n(&flag, __ATOMIC_ACQUIRE), "the flag", "the test");
	__atomic_add_fetch(&done, 1, __ATOMIC_RELEASE);
}

static int raise_flag(void)
{
	__atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
	return wake_up(&flag);
}

SELFTEST(wait_wake_all, "wait.wake-all", "one wake ends the sleep of every waiter, and counts them")
{
	struct gang g;
	bool gathered;
	int n;

	flag = done = 0;
	EXPECT(gang_start(&g, 4, wait_for_flag, NULL, false), "no memory for threads");
	gathered = gather_on(&flag, 4);
	n = raise_flag();
	gang_join(&g);
	EXPECT(gathered && n == 4, "%d of 4 waiters counted", n);
	EXPECT(done == 4, "%u of 4 came back", done);
	EXPECT(waiters_on(&flag) == 0, "%d waiters left in the queue", waiters_on(&flag));
}

SELFTEST(wait_other_key, "wait.other-key", "a wake for another address wakes nobody")
{
	static char keys[600];
	struct gang g;
	bool gathered;
	int n = 0;

	flag = done = 0;
	EXPECT(gang_start(&g, 1, wait_for_flag, NULL, false), "no memory for a thread");
	gathered = gather_on(&flag, 1);
	/* 600 keys over 256 buckets: some share the flag's. */
	for (unsigned i = 0; i < sizeof(keys); i++)
		n += wake_up(&keys[i]);
	n += (int)done * 1000;
	raise_flag();
	gang_join(&g);
	EXPECT(gathered && n == 0, "others' wakes woke %d", n);
	EXPECT(done == 1, "its own wake did not");
}

SELFTEST(wait_woken_early, "wait.woken-early", "a wake between enlisting and sleeping is not lost")
{
	struct waiter w = {0};
	int n;

	wait_prepare(&w, &flag, "nothing", "the test itself");
	n = wake_up(&flag);
	wait_sleep(&w);
	wait_finish(&w);
	EXPECT(n == 1, "%d waiters found", n);
	EXPECT(!w.enlisted && waiters_on(&flag) == 0, "still enlisted");
}

SELFTEST(wait_counted_once, "wait.counted-once",
	 "of two wakes before a waiter comes back the first one counts it, and the second nobody")
{
	struct waiter w = {0};
	int first, second;

	wait_prepare(&w, &flag, "nothing", "the test itself");
	first = wake_up(&flag);
	second = wake_up(&flag);
	wait_sleep(&w);
	wait_finish(&w);
	EXPECT(first == 1 && second == 0, "the first counted %d, the second %d", first, second);
}

SELFTEST(wait_stays_listed, "wait.stays-listed",
	 "a waiter that is woken stays in the list until it takes itself off")
{
	struct waiter w = {0};
	bool before, woken;

	wait_prepare(&w, &flag, "nothing", "the test itself");
	before = w.enlisted && *w.link.tqe_prev == &w;
	wake_up(&flag);
	woken = w.enlisted && *w.link.tqe_prev == &w;
	wait_finish(&w);
	EXPECT(before && woken, "in the list: %d, behind the wake: %d", before, woken);
	EXPECT(!w.enlisted && *w.link.tqe_prev != &w, "still in the list");
}

#define PINGS 2000
static unsigned turn;

static void ping(void *arg __attribute__((unused)))
{
	unsigned me = __atomic_fetch_add(&done, 1, __ATOMIC_RELAXED) % 2;

	for (int i = 0; i < PINGS; i++) {
		wait_event(&turn, __atomic_load_n(&turn, __ATOMIC_ACQUIRE) % 2 == me, "its turn",
			   "the other player");
		__atomic_add_fetch(&turn, 1, __ATOMIC_RELEASE);
		wake_up(&turn);
	}
}

SELFTEST(wait_ping_pong, "wait.ping-pong",
	 "two threads that wake each other in turn never lose a wake")
{
	struct gang g;

	turn = done = 0;
	EXPECT(gang_start(&g, 2, ping, NULL, false), "no memory for threads");
	gang_join(&g);
	EXPECT(turn == 2 * PINGS, "%u turns of %u", turn, 2 * PINGS);
}

SELFTEST(wait_deadline, "wait.deadline", "a wait nobody ends is over at its deadline, not before")
{
	uint64_t end = clock_ns() + 3000000;
	bool ok = wait_event_until(&flag, false, end, "nothing", "a timer");
	uint64_t now = clock_ns();

	EXPECT(!ok, "it claims that false became true");
	EXPECT(now >= end, "over %lu ns too early", end - now);
	EXPECT(waiters_on(&flag) == 0, "still enlisted");
}

static void wait_with_deadline(void *arg)
{
	result = wait_event_until(&flag, __atomic_load_n(&flag, __ATOMIC_ACQUIRE), *(uint64_t *)arg,
				  "the flag", "the test");
}

SELFTEST(wait_before_deadline, "wait.before-deadline",
	 "a wake ends a wait long before its deadline")
{
	uint64_t end = clock_ns() + 3600ull * 1000000000;
	struct gang g;
	bool gathered;

	flag = 0;
	result = -1;
	EXPECT(gang_start(&g, 1, wait_with_deadline, &end, false), "no memory for a thread");
	gathered = gather_on(&flag, 1);
	raise_flag();
	gang_join(&g);
	EXPECT(gathered && result == 1, "result %d, expected true", result);
	EXPECT(clock_ns() < end, "it took the whole hour");
}

static void wait_interruptible(void *arg __attribute__((unused)))
{
	result = wait_event_interruptible(&flag, __atomic_load_n(&flag, __ATOMIC_ACQUIRE),
					  "the flag", "the test");
}

SELFTEST(wait_interrupted, "wait.interrupted", "a signal ends an interruptible wait with EINTR")
{
	struct gang g;
	bool gathered;

	flag = 0;
	result = 1;
	EXPECT(gang_start(&g, 1, wait_interruptible, NULL, false), "no memory for a thread");
	gathered = gather_on(&flag, 1) && falls_asleep(g.thread[0]);
	thread_signal(g.thread[0]);
	gang_join(&g);
	EXPECT(gathered && result == -EINTR, "result %d, expected %d", result, -EINTR);
}

static void wait_signalled(void *arg __attribute__((unused)))
{
	wait_for_flag(NULL);
	result = signal_pending();
	signal_clear();
	result += 2 * signal_pending();
}

SELFTEST(wait_uninterruptible, "wait.uninterruptible",
	 "a signal does not end an ordinary wait, and stays pending until cleared")
{
	struct gang g;
	bool gathered, still;

	flag = done = 0;
	result = -1;
	EXPECT(gang_start(&g, 1, wait_signalled, NULL, false), "no memory for a thread");
	gathered = gather_on(&flag, 1);
	thread_signal(g.thread[0]);
	/* Asleep, too: a wait that went on by spinning would be found running. */
	still = done == 0 && falls_asleep(g.thread[0]) && waiters_on(&flag) == 1;
	raise_flag();
	gang_join(&g);
	EXPECT(gathered && still, "the signal ended the wait");
	EXPECT(result == 1, "pending and then cleared, found %d", result);
}

static void raise_from_timer(struct timer *t __attribute__((unused)))
{
	result = in_interrupt();
	raise_flag();
}

SELFTEST(wait_from_interrupt, "wait.from-interrupt", "a wake out of an interrupt handler works")
{
	static struct timer timer;

	flag = 0;
	result = -1;
	timer_arm(&timer, clock_ns() + 500000, raise_from_timer);
	wait_event(&flag, __atomic_load_n(&flag, __ATOMIC_ACQUIRE), "the flag", "a timer");
	timer_cancel_wait(&timer);
	EXPECT(result == 1, "the timer's function did not run in an interrupt");
}
