/* SPDX-License-Identifier: MIT */
/*
 * Leases: a breaker goes on when the last one has gone, and none is promised that is not kept.
 */
#include "tests/explore/scenarios/files.h"

static struct lease lease[2];
static struct lease_list list;
static uint64_t told;

static bool note_told(struct lease *l)
{
	(void)l;
	__atomic_store_n(&told, 1, __ATOMIC_RELAXED);
	return false;
}

static const struct lease_ops ops = {.what = "a scenario", .told = note_told};

static uint64_t before;

/* With a break time that nobody lives to see: a date that a breaker need not look at. */
static int setup(void)
{
	before = lease_break_time_ns;
	lease_break_time_ns = 3600ull * 1000000000;
	lease_list_init(&list, true);
	for (unsigned i = 0; i < 2; i++)
		lease[i] = (struct lease){.class = LEASE_LAYOUT, .ops = &ops};
	told = 0;
	return 0;
}

static void teardown(void)
{
	lease_break_time_ns = before;
}

static void one_lease(void)
{
	X_EXPECT("set-up", !lease_set(&list, &lease[0], true), "a lease is refused");
}

static void two_leases(void)
{
	one_lease();
	X_EXPECT("set-up", !lease_set(&list, &lease[1], true), "a lease is refused");
}

static void break_all(void)
{
	int err = lease_break(&list, LEASE_ALL, true);

	X_EXPECT("I4", !err, "break: error %d", err);
}

static void break_both(void)
{
	break_all();
	X_EXPECT("I5", !lease_count(&list, LEASE_ALL), "a breaker goes on, and a lease is there");
}

static void unlock_first(void)
{
	lease_unlock(&lease[0]);
}

static void unlock_second(void)
{
	lease_unlock(&lease[1]);
}

static void set_and_unlock(void)
{
	int err = lease_set(&list, &lease[0], true);

	x_observe((uint64_t)-err);
	if (!err)
		lease_unlock(&lease[0]);
}

#define LEASES .setup = setup, .teardown = teardown
EXPLORE_SCENARIO(lease_unlock_break, "lease.unlock-break", "an unlock wakes who breaks the lease",
		 LEASES, .start = one_lease,
		 .thread = {{"break", break_all}, {"unlock", unlock_first}});
EXPLORE_SCENARIO(lease_set_break, "lease.set-break",
		 "a lease that is set beside a break is broken as well, or refused", LEASES,
		 .thread = {{"break", break_all}, {"set", set_and_unlock}});
EXPLORE_SCENARIO(lease_two_breaks, "lease.two-breaks", "one unlock wakes two breakers", LEASES,
		 .start = one_lease,
		 .thread = {{"first", break_all}, {"second", break_all}, {"unlock", unlock_first}},
		 .large = true);
EXPLORE_SCENARIO(lease_two_leases, "lease.two-leases", "a breaker waits for both leases", LEASES,
		 .start = two_leases,
		 .thread = {{"break", break_both},
			    {"first", unlock_first},
			    {"second", unlock_second}},
		 .large = true);

/* ---- of a file --------------------------------------------------------------------------------
 */

static int leased_file(void)
{
	setup();
	return files_setup(1, FILES_TOUCHED);
}

static void end_leased_file(void)
{
	teardown();
	files_teardown();
}

/* What a lease promises, from when it is set until its owner was told. */
static void lease_and_look(void)
{
	int err = layout_lease_set(files.f, &lease[0], true);
	uint64_t size;

	x_observe((uint64_t)-err);
	if (err)
		return;
	size = __atomic_load_n(&files.f->size, __ATOMIC_RELAXED);
	x_point("the file is leased");
	X_EXPECT("I5",
		 __atomic_load_n(&told, __ATOMIC_RELAXED) ||
			 __atomic_load_n(&files.f->size, __ATOMIC_RELAXED) == size,
		 "the file changes under a lease, and its owner was not told");
	lease_unlock(&lease[0]);
}

EXPLORE_SCENARIO(lease_truncate, "lease.truncate",
		 "a lease is set before a truncate, and waited for, or behind it",
		 .setup = leased_file, .teardown = end_leased_file, .mm = files_mm,
		 .end = files_end,
		 .thread = {{"lease", lease_and_look}, {"truncate", files_truncate}},
		 .interrupts = true, .lifetimes = true, .large = true);
