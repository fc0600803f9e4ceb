/* SPDX-License-Identifier: MIT */
/*
 * Litmus tests with interrupts and devices: what is in a CPU's store buffer when its code is
 * interrupted, and what a device wrote before it interrupts.
 */
#include "kernel/kernel.h"
#include "tests/explore/explore.h"

static uint32_t a, b, seen[2], handled; /* handled: interrupts so far, zero at the start */

#define LOAD(v)	    __atomic_load_n(&(v), __ATOMIC_ACQUIRE)
#define STORE(v, x) __atomic_store_n(&(v), x, __ATOMIC_RELEASE)

/* ---- the stores of the interrupted code are out */

static void asks(void *unused)
{
	(void)unused;
}

static void sb_plain(void)
{
	STORE(a, 1);
	seen[0] = LOAD(b);
	x_observe(seen[0]);
}

static void sb_calls(void)
{
	STORE(b, 1);
	cpu_call(1u << 0, asks, NULL);
	seen[1] = LOAD(a);
	x_observe(seen[1]);
}

static void sb_end(void)
{
	X_EXPECT("SB", seen[0] || seen[1], "both stored, and neither saw the other's store");
}

EXPLORE_SCENARIO(sb_ipi, "litmus.store-buffer-ipi",
		 "an interrupt is a barrier for the code that it interrupts",
		 .thread = {{"plain", sb_plain}, {"calls", sb_calls}}, .end = sb_end,
		 .interrupts = true);

/* ---- an interrupt and its CPU's thread see each other's stores, in their order */

static void looks(void *unused)
{
	uint32_t later = LOAD(b), earlier = LOAD(a);

	(void)unused;
	X_EXPECT("own", earlier >= later, "the second store is there, and the first is not");
	STORE(a, earlier + 2);
	x_observe(earlier);
}

static void stores_two(void)
{
	STORE(a, 1);
	STORE(b, 1);
	x_observe(LOAD(a));
}

static void posts(void)
{
	x_interrupt(0, looks, NULL);
	x_observe(LOAD(a));
}

EXPLORE_SCENARIO(own, "litmus.interrupt-own",
		 "an interrupt finds what its CPU stored, and its own stores are found",
		 .thread = {{"stores", stores_two}, {"posts", posts}}, .interrupts = true);

/* ---- two interrupts, one behind the other */

static void counts(void *unused)
{
	(void)unused;
	STORE(handled, LOAD(handled) + 1);
}

static void rests(void)
{
	x_observe(LOAD(handled));
}

static void posts_two(void)
{
	x_interrupt(0, counts, NULL);
	x_interrupt(0, counts, NULL);
}

static void both_came(void)
{
	X_EXPECT("I4", handled == 2, "%u interrupts of two came", handled);
}

EXPLORE_SCENARIO(twice, "litmus.interrupt-twice",
		 "two interrupts come one after the other, even at once",
		 .thread = {{"rests", rests}, {"posts", posts_two}}, .end = both_came,
		 .interrupts = true);

/* ---- a device's writes arrive before its interrupt */

static void looks_at_data(void *unused)
{
	(void)unused;
	X_EXPECT("posted", LOAD(a) == 1, "the device's interrupt is there, and its data is not");
}

static void device_writes(void)
{
	STORE(a, 1);
	x_interrupt(0, looks_at_data, NULL);
}

EXPLORE_SCENARIO(posted, "litmus.device-posts", "a device's interrupt comes behind its data",
		 .thread = {{"rests", rests}}, .device = {{"writes", device_writes}},
		 .interrupts = true);
