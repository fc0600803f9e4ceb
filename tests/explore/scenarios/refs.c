/* SPDX-License-Identifier: MIT */
/*
 * The per-CPU reference: whoever found it alive is counted, and a drain ends with the last user.
 */
#include "mm/mm.h"
#include "tests/explore/explore.h"

static struct percpu_ref ref;
static uint64_t gone, users; /* `gone`: the drain is over. zero: not yet, none */

static void init(void)
{
	percpu_ref_init(&ref);
	gone = users = 0;
}

/* Two users from the start, counted by the CPU that set up. */
static void init_used(void)
{
	init();
	percpu_ref_get(&ref);
	percpu_ref_get(&ref);
}

static void kill_and_drain(void)
{
	percpu_ref_kill(&ref);
	percpu_ref_drain(&ref);
	X_EXPECT("I2", !__atomic_load_n(&users, __ATOMIC_SEQ_CST), "a user is left behind a drain");
	__atomic_store_n(&gone, 1, __ATOMIC_SEQ_CST);
}

static void kill_only(void)
{
	percpu_ref_kill(&ref);
}

static void get_and_put(void)
{
	if (!percpu_ref_tryget_live(&ref))
		return;
	__atomic_fetch_add(&users, 1, __ATOMIC_SEQ_CST);
	X_EXPECT("I2", !__atomic_load_n(&gone, __ATOMIC_SEQ_CST),
		 "it was found alive, and the drain is over");
	__atomic_fetch_sub(&users, 1, __ATOMIC_SEQ_CST);
	percpu_ref_put(&ref);
}

static void put_one(void)
{
	percpu_ref_put(&ref);
}

/* One user stays to the end, so the sum is never zero. */
static void not_used_up(void)
{
	X_EXPECT("I2", !percpu_ref_is_used_up(&ref), "it counts as used up, and a user is left");
}

static void sum_is_one(void)
{
	X_EXPECT("I2", percpu_ref_sum(&ref) == 1, "one user is left, and %ld are counted",
		 (long)percpu_ref_sum(&ref));
}

static void sum_is_none(void)
{
	X_EXPECT("I2", percpu_ref_sum(&ref) == 0, "nobody is left, and %ld are counted",
		 (long)percpu_ref_sum(&ref));
}

EXPLORE_SCENARIO(ref_kill_get, "ref.kill-get",
		 "who finds a reference alive is waited for by the drain", .start = init,
		 .thread = {{"kill", kill_and_drain}, {"get", get_and_put}}, .end = sum_is_none,
		 .interrupts = true);
EXPLORE_SCENARIO(ref_kill_two, "ref.kill-two",
		 "two that find a reference alive are both waited for", .start = init,
		 .thread = {{"kill", kill_and_drain},
			    {"first", get_and_put},
			    {"second", get_and_put}},
		 .end = sum_is_none, .interrupts = true, .large = true);
EXPLORE_SCENARIO(ref_kill_put, "ref.kill-put",
		 "a put while the counters are folded does not make the sum zero",
		 .start = init_used, .step = not_used_up,
		 .thread = {{"kill", kill_only}, {"put", put_one}}, .end = sum_is_one,
		 .interrupts = true);
