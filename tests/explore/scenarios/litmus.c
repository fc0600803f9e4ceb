/* SPDX-License-Identifier: MIT */
/*
 * Litmus tests: the smallest programs on which memory models differ, and the smallest on which the
 * explorer's strategies must agree.
 */
#include "kernel/kernel.h"
#include "tests/explore/explore.h"

static uint32_t a, b, seen[2];

#define LOAD(v)	    __atomic_load_n(&(v), __ATOMIC_ACQUIRE)
#define STORE(v, x) __atomic_store_n(&(v), x, __ATOMIC_RELEASE)

/* ---- SB: each stores, then looks at the other's */

static void sb_first(void)
{
	STORE(a, 1);
	seen[0] = LOAD(b);
	x_observe(seen[0]);
}

static void sb_second(void)
{
	STORE(b, 1);
	seen[1] = LOAD(a);
	x_observe(seen[1]);
}

static void sb_end(void)
{
	X_EXPECT("SB", seen[0] || seen[1], "both stored, and neither saw the other's store");
}

EXPLORE_SCENARIO(sb, "litmus.store-buffer",
		 "of two CPUs that store and then look, one sees the other",
		 .thread = {{"first", sb_first}, {"second", sb_second}}, .end = sb_end,
		 .breaks_tso = true);

static void sb_fenced_first(void)
{
	STORE(a, 1);
	smp_mb();
	seen[0] = LOAD(b);
	x_observe(seen[0]);
}

static void sb_fenced_second(void)
{
	STORE(b, 1);
	smp_mb();
	seen[1] = LOAD(a);
	x_observe(seen[1]);
}

EXPLORE_SCENARIO(sb_fenced, "litmus.store-buffer-fenced",
		 "with a full barrier between store and look, one sees the other",
		 .thread = {{"first", sb_fenced_first}, {"second", sb_fenced_second}},
		 .end = sb_end);

/* ---- MP: a message, and a word that says it is there */

static void mp_send(void)
{
	a = 42;
	STORE(b, 1);
}

static void mp_receive(void)
{
	if (LOAD(b)) {
		X_EXPECT("MP", a == 42, "the word says it is there, and the message is not");
		x_observe(a);
	}
}

EXPLORE_SCENARIO(mp, "litmus.message", "what was stored before the word is there when the word is",
		 .thread = {{"send", mp_send}, {"receive", mp_receive}});

/* ---- two counters, without and with a locked addition */

static void add_apart(void)
{
	STORE(a, LOAD(a) + 1);
}

static void apart_end(void)
{
	x_observe(a);
	X_EXPECT("sum", a == 2, "two additions of one came to %u", a);
}

EXPLORE_SCENARIO(apart, "litmus.add-apart",
		 "a load and a store add nothing if another adds meanwhile",
		 .thread = {{"first", add_apart}, {"second", add_apart}}, .end = apart_end,
		 .breaks = true);

static void add_locked(void)
{
	__atomic_add_fetch(&a, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&b, 1, __ATOMIC_RELAXED);
}

static void locked_end(void)
{
	X_EXPECT("sum", a == 3 && b == 3, "three additions of one came to %u and %u", a, b);
}

EXPLORE_SCENARIO(locked, "litmus.add-locked", "locked additions are never lost",
		 .thread = {{"first", add_locked}, {"second", add_locked}, {"third", add_locked}},
		 .end = locked_end);

/* ---- two locks, in two orders */

static struct spinlock left = SPINLOCK_INIT("left"), right = SPINLOCK_INIT("right");

static void left_right(void)
{
	spin_lock(&left);
	spin_lock(&right);
	a++;
	spin_unlock(&right);
	spin_unlock(&left);
}

static void right_left(void)
{
	spin_lock(&right);
	spin_lock(&left);
	a++;
	spin_unlock(&left);
	spin_unlock(&right);
}

EXPLORE_SCENARIO(crossed, "litmus.locks-crossed", "two locks are taken in one order",
		 .thread = {{"left first", left_right}, {"right first", right_left}},
		 .breaks = true);
EXPLORE_SCENARIO(ordered, "litmus.locks-ordered", "two locks taken in one order never hang",
		 .thread = {{"one", left_right}, {"two", left_right}, {"three", left_right}});

/* ---- a race that the detector lists */

static void raced(void)
{
	a++;
	STORE(b, 1);
}

EXPLORE_SCENARIO(race, "litmus.race", "two plain additions race, which is listed and no finding",
		 .thread = {{"first", raced}, {"second", raced}});

/* ---- the same, meant */

static void counted(void)
{
	INTENDED_RACE("a count that may miss some");
	a += 2; /* not the same function as above */
	STORE(b, 1);
}

/* The reader's load comes behind what the writer waits for, so nothing orders it before the second
 * store, and in every execution it is made before that. */
static uint64_t stored, ready, go_on;

static void await(const uint64_t *flag)
{
	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		cpu_pause();
}

static void store_twice(void)
{
	stored = 1;
	__atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
	await(&go_on);
	stored = 2;
}

static void load_between(void)
{
	await(&ready);
	__atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
	x_observe(stored);
}

EXPLORE_SCENARIO(race_read, "litmus.race-read",
		 "a load races with the store behind it, though the store before it is ordered",
		 .thread = {{"writer", store_twice}, {"reader", load_between}});

EXPLORE_SCENARIO(intended, "litmus.race-intended", "a race that is marked as meant is not listed",
		 .thread = {{"first", counted}, {"second", counted}});
