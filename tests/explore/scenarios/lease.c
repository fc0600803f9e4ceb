/* SPDX-License-Identifier: MIT */
/*
 * Leases: who publishes first, the lessor or the breaker (docs/leases.md). One sets a lease and
 * then looks for a writer, the other marks itself as a writer and then breaks leases. With a full
 * barrier on both sides one of the two sees the other.
 */
#include "dax/dax.h"
#include "dax/lease/lease.h"
#include "tests/explore/explore.h"

static struct lease_list list;
static struct lease lease;
static const struct lease_ops ops = {.what = "scenario"};
static uint32_t writing;
static bool saw_writer, broke;

static int setup(void)
{
	lease_list_init(&list, true);
	lease = (struct lease){.class = LEASE_LAYOUT, .ops = &ops};
	return 0;
}

static void lessor(void)
{
	lease_set(&list, &lease, true);
	smp_mb(); /* the lease before the look at the writer, else neither sees the other */
	saw_writer = __atomic_load_n(&writing, __ATOMIC_RELAXED);
	x_observe(saw_writer);
}

static void breaker(void)
{
	__atomic_store_n(&writing, 1, __ATOMIC_RELAXED);
	smp_mb(); /* the mark before lease_break()'s look without a lock */
	broke = lease_break(&list, LEASE_ALL, false) == -EWOULDBLOCK;
	x_observe(broke);
}

static void breaker_unfenced(void)
{
	__atomic_store_n(&writing, 1, __ATOMIC_RELAXED);
	broke = lease_break(&list, LEASE_ALL, false) == -EWOULDBLOCK;
	x_observe(broke);
}

static void end(void)
{
	X_EXPECT("L", saw_writer || broke, "the lessor saw no writer, and the writer no lease");
}

EXPLORE_SCENARIO(published, "lease.published",
		 "of a lessor and a writer that breaks leases, one sees the other",
		 .thread = {{"lessor", lessor}, {"breaker", breaker}}, .setup = setup, .end = end);
EXPLORE_SCENARIO(unfenced, "lease.published-unfenced",
		 "without the writer's barrier both may miss the other",
		 .thread = {{"lessor", lessor}, {"breaker", breaker_unfenced}}, .setup = setup,
		 .end = end, .breaks_tso = true);
