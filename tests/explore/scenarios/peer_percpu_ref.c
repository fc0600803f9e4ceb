/* SPDX-License-Identifier: MIT */
/*
 * Users come and go while the owner kills a per-CPU reference and waits for the last of them: what
 * tests/explore/peer/percpu_ref.pml is a model of.
 *
 * Each user stays on its CPU, where the killer's interrupt finds it between its test and its count,
 * if interrupts are not off there.
 */
#include "mm/mm.h"
#include "tests/explore/explore.h"

static struct percpu_ref ref;
static bool gone; /* the rule's own: written and read between events */

static void begin(void)
{
	percpu_ref_init(&ref);
	gone = false;
}

static bool is_gone(void)
{
	bool now;

	x_quiet_begin();
	now = __atomic_load_n(&gone, __ATOMIC_RELAXED);
	x_quiet_end();
	return now;
}

static void use(void)
{
	bool live = percpu_ref_tryget_live(&ref);

	x_observe(live);
	if (!live)
		return;
	X_EXPECT("I2", !is_gone(), "a reference is held, and what it counts for is gone");
	percpu_ref_put(&ref);
}

static void kill_and_wait(void)
{
	percpu_ref_kill(&ref);
	percpu_ref_drain(&ref);
	x_quiet_begin();
	__atomic_store_n(&gone, true, __ATOMIC_RELAXED);
	x_quiet_end();
}

static void used_up(void)
{
	X_EXPECT("I2", percpu_ref_is_used_up(&ref) && percpu_ref_sum(&ref) == 0,
		 "the reference is %sused up, its sum is %ld",
		 percpu_ref_is_used_up(&ref) ? "" : "not ", (long)percpu_ref_sum(&ref));
}

EXPLORE_SCENARIO(peer_percpu_ref, "peer.percpu-ref",
		 "nobody has a killed reference when its drain is over",
		 .thread = {{"user", use}, {"killer", kill_and_wait}}, .start = begin,
		 .end = used_up, .interrupts = true);
EXPLORE_SCENARIO(peer_percpu_ref_two, "peer.percpu-ref-two",
		 "nobody has a killed reference when its drain is over, of two users",
		 .thread = {{"user", use}, {"user 2", use}, {"killer", kill_and_wait}},
		 .start = begin, .end = used_up, .interrupts = true);
