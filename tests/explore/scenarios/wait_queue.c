/* SPDX-License-Identifier: MIT */
/*
 * Wait queues: no wake is lost, whatever comes between its steps.
 *
 * A lost wake is a thread that sleeps for ever, which the explorer finds by itself; the threads
 * only have to do what wakers and waiters do.
 */
#include "kernel/kernel.h"
#include "tests/explore/explore.h"

static uint64_t ready, other; /* zero: not yet */

static void set_ready(void)
{
	__atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
	wake_up(&ready);
}

static void await_ready(void)
{
	wait_event(&ready, __atomic_load_n(&ready, __ATOMIC_ACQUIRE), "a flag", "set_ready()");
}

EXPLORE_SCENARIO(wait_one, "wait.one", "a waiter whose condition comes true goes on",
		 .thread = {{"waker", set_ready}, {"waiter", await_ready}});

EXPLORE_SCENARIO(wait_two, "wait.two", "one wake ends the sleep of two waiters",
		 .thread = {{"waker", set_ready}, {"first", await_ready}, {"second", await_ready}});

/* ---- a wake that is not the last one -------------------------------------------------------- */

static uint64_t count; /* up to two */

static void add_one(void)
{
	__atomic_fetch_add(&count, 1, __ATOMIC_ACQ_REL);
	wake_up(&count);
}

static void await_two(void)
{
	wait_event(&count, __atomic_load_n(&count, __ATOMIC_ACQUIRE) == 2, "two of them",
		   "the second add_one()");
}

EXPLORE_SCENARIO(
	wait_second, "wait.second",
	"a waiter that is woken too early waits again, and the wake that counts is not lost",
	.thread = {{"first", add_one}, {"second", add_one}, {"waiter", await_two}});

/* ---- two that wake each other --------------------------------------------------------------- */

static void ping(void)
{
	set_ready();
	wait_event(&other, __atomic_load_n(&other, __ATOMIC_ACQUIRE), "the answer", "pong()");
}

static void pong(void)
{
	await_ready();
	__atomic_store_n(&other, 1, __ATOMIC_RELEASE);
	wake_up(&other);
}

EXPLORE_SCENARIO(wait_ping_pong, "wait.ping-pong", "two threads that wake each other both go on",
		 .thread = {{"ping", ping}, {"pong", pong}});

/* ---- a waiter whose memory goes -------------------------------------------------------------- */

/* As a stack frame does; and what was freed may not be touched any more. */
static void await_and_free(void)
{
	struct waiter *w = calloc(1, sizeof(*w));

	X_EXPECT("set-up", w, "no memory for a waiter");
	while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE)) {
		wait_prepare(w, &ready, "a flag", "set_ready()");
		if (__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
			wait_finish(w);
		else
			wait_sleep(w);
	}
	free(w);
}

EXPLORE_SCENARIO(wait_waiter_goes, "wait.waiter-goes",
		 "a waiter that takes itself off the list is known to no waker any more",
		 .thread = {{"waker", set_ready}, {"waiter", await_and_free}});

/* ---- the locked exchange in place of the fence ---------------------------------------------- */

static void exchange_and_look(void)
{
	__atomic_exchange_n(&ready, 1, __ATOMIC_SEQ_CST);
	if (wait_maybe(&ready))
		wake_up(&ready);
}

EXPLORE_SCENARIO(wait_maybe, "wait.maybe",
		 "who changed the condition by a locked instruction may look for waiters without a "
		 "fence",
		 .thread = {{"waker", exchange_and_look}, {"waiter", await_ready}});

/* ---- a wake by an interrupt ----------------------------------------------------------------- */

static void in_interrupt_ready(void *unused)
{
	(void)unused;
	set_ready();
}

static void interrupt_waiter(void)
{
	x_interrupt(1, in_interrupt_ready, NULL);
}

EXPLORE_SCENARIO(wait_interrupt, "wait.interrupt",
		 "a wake by an interrupt on the waiter's own CPU is not lost",
		 .thread = {{"device", interrupt_waiter}, {"waiter", await_ready}},
		 .interrupts = true);

/* ---- a lock that a handler takes as well, around loads only ---------------------------------- */

static void count_waiters(void)
{
	x_observe((unsigned)waiters_on(&ready));
}

EXPLORE_SCENARIO(wait_count, "wait.count",
		 "who counts waiters may be interrupted by one who wakes them",
		 .thread = {{"device", interrupt_waiter},
			    {"counter", count_waiters},
			    {"waiter", await_ready}},
		 .interrupts = true);
