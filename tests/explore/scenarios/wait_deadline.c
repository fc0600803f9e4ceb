/* SPDX-License-Identifier: MIT */
/*
 * Sleeping until a deadline: the timer lies on the sleeper's stack, goes off on his CPU, and is
 * cancelled by whoever was woken in time. Both may come at once.
 */
#include "kernel/kernel.h"
#include "tests/explore/explore.h"

#define PATIENCE 100u /* ns; the clock stands still but for timers */

static uint32_t full;
static bool in_time;
static uint64_t deadline;

static void send(void)
{
	__atomic_store_n(&full, 1, __ATOMIC_RELEASE);
	wake_up(&full);
}

static void receive(void)
{
	deadline = clock_ns() + PATIENCE;
	in_time = wait_event_until(&full, __atomic_load_n(&full, __ATOMIC_ACQUIRE), deadline,
				   "a message", "send(), or the time");
	X_EXPECT("I4", !in_time || full, "the receiver says that it has a message, and has none");
	x_observe(in_time);
}

static void end(void)
{
	X_EXPECT("time", in_time || clock_ns() >= deadline, "the receiver gave up too early");
}

EXPLORE_SCENARIO(deadline, "wait.deadline",
		 "who waits until a deadline has the message, or it is as late as that",
		 .thread = {{"receive", receive}, {"send", send}}, .end = end);

static void forget(void)
{
	__atomic_store_n(&full, 1, __ATOMIC_RELEASE);
}

EXPLORE_SCENARIO(unwoken, "wait.deadline-unwoken",
		 "who waits until a deadline goes on, though nobody wakes him",
		 .thread = {{"receive", receive}, {"forgets", forget}}, .end = end);
