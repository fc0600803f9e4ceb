/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking: the real wait queues, with their barriers and marks.
 */
#include "kernel/kernel.h"
#include "tests/explore/explore.h"

static uint32_t full;
static uint32_t got;

static void send(void)
{
	__atomic_store_n(&full, 1, __ATOMIC_RELEASE);
	wake_up(&full);
}

static void receive(void)
{
	wait_event(&full, __atomic_load_n(&full, __ATOMIC_ACQUIRE), "a message", "send()");
	got = 1;
}

static void end(void)
{
	X_EXPECT("I4", got, "the receiver ended without its message");
}

EXPLORE_SCENARIO(message, "wait.message", "a wake is never lost",
		 .thread = {{"send", send}, {"receive", receive}}, .end = end);

/* ---- the same with the wake before the condition */

static void send_early(void)
{
	wake_up(&full);
	__atomic_store_n(&full, 1, __ATOMIC_RELEASE);
}

EXPLORE_SCENARIO(early, "wait.woken-too-early", "a wake before the condition is lost",
		 .thread = {{"send", send_early}, {"receive", receive}}, .end = end,
		 .breaks = true);

/* ---- a mutex that is waited for, by its own code */

static struct mutex door = MUTEX_INIT("door");
static uint32_t inside, most;

static void pass(void)
{
	mutex_lock(&door);
	inside++;
	most = MAX(most, inside);
	inside--;
	mutex_unlock(&door);
}

static void pass_end(void)
{
	X_EXPECT("mutex", most == 1, "%u threads were behind the door at once", most);
}

EXPLORE_SCENARIO(mutex, "lock.mutex", "one holder at a time, and nobody waits for ever",
		 .thread = {{"one", pass}, {"two", pass}}, .end = pass_end,
		 .real_locks = X_REAL_SLEEPERS);

/* ---- a spinlock, by its own code */

static struct spinlock gate = SPINLOCK_INIT("gate");

static void pass_gate(void)
{
	spin_lock(&gate);
	inside++;
	most = MAX(most, inside);
	inside--;
	spin_unlock(&gate);
}

EXPLORE_SCENARIO(spin, "lock.spin", "one CPU at a time holds a spinlock",
		 .thread = {{"one", pass_gate}, {"two", pass_gate}}, .end = pass_end,
		 .real_locks = X_REAL_SPINS);
