/* SPDX-License-Identifier: MIT */
/*
 * Waiting and waking by itself: what tests/explore/peer/wait.pml is a model of, word for word.
 *
 * The waker stores, without a locked instruction, and wakes; one waiter, or two on two CPUs.
 */
#include "kernel/kernel.h"
#include "tests/explore/explore.h"

static unsigned cond;

static void wait_for_it(void)
{
	wait_event(&cond, __atomic_load_n(&cond, __ATOMIC_ACQUIRE), "the condition", "the waker");
	X_EXPECT("wait", cond, "wait_event() returned while the condition was false");
}

static void wake_it(void)
{
	__atomic_store_n(&cond, 1, __ATOMIC_RELEASE);
	wake_up(&cond);
}

static void nobody_is_left(void)
{
	X_EXPECT("wait", waiters_on(&cond) == 0, "%d waiters are still enlisted",
		 waiters_on(&cond));
}

EXPLORE_SCENARIO(peer_wait, "peer.wait", "whoever waits for a condition sees it come true",
		 .thread = {{"waiter", wait_for_it}, {"waker", wake_it}}, .end = nobody_is_left);
EXPLORE_SCENARIO(peer_wait_two, "peer.wait-two", "one wake ends both sleeps",
		 .thread = {{"waiter", wait_for_it}, {"waiter 2", wait_for_it}, {"waker", wake_it}},
		 .end = nobody_is_left);
