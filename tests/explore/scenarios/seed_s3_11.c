/* SPDX-License-Identifier: MIT */
/*
 * Patch 11 of the third series of 2017, as every order of it: who sets a lease and then looks for a
 * writer, and a writer who marks himself and then breaks leases. docs/explorer.md builds this up.
 */
#include "dax/dax.h"
#include "tests/explore/explore.h"

static struct lease_list list;
static struct lease lease;
static const struct lease_ops ops = {.what = "a lease"};
static bool writer, saw_writer, broke;

static void start(void)
{
	lease_list_init(&list, true);
	lease = (struct lease){.class = LEASE_LAYOUT, .ops = &ops};
	writer = saw_writer = broke = false;
}

static void set(void)
{
	lease_set(&list, &lease, true);
	smp_mb(); /* the lease before the look at the writer, else neither sees the other */
	saw_writer = __atomic_load_n(&writer, __ATOMIC_RELAXED);
}

static void set_without(void)
{
	lease_set(&list, &lease, true);
	saw_writer = __atomic_load_n(&writer, __ATOMIC_RELAXED);
}

static void write_(void)
{
	__atomic_store_n(&writer, true, __ATOMIC_RELAXED);
	smp_mb(); /* the mark before the look for leases */
	broke = lease_break(&list, LEASE_ALL, false) == -EWOULDBLOCK;
}

static void write_without(void)
{
	__atomic_store_n(&writer, true, __ATOMIC_RELAXED);
	broke = lease_break(&list, LEASE_ALL, false) == -EWOULDBLOCK;
}

static void one_saw_the_other(void)
{
	x_observe(saw_writer);
	x_observe(broke);
	X_EXPECT("s3.11", saw_writer || broke,
		 "the lessor saw no writer, and the writer found no lease");
}

EXPLORE_SCENARIO(seed_s3_11, "seed.s3.11",
		 "of who sets a lease and a writer who breaks leases, at least one sees the other",
		 .thread = {{"lessor", set}, {"writer", write_}}, .start = start,
		 .end = one_saw_the_other);
EXPLORE_SCENARIO(seed_s3_11_lessor, "seed.s3.11-lessor",
		 "the same without the lessor's barrier: lease_set() leaves stores in the buffer",
		 .thread = {{"lessor", set_without}, {"writer", write_}}, .start = start,
		 .end = one_saw_the_other, .breaks_tso = true);
EXPLORE_SCENARIO(
	seed_s3_11_writer, "seed.s3.11-writer",
	"the same without the writer's barrier, before lease_break()'s look without a lock",
	.thread = {{"lessor", set}, {"writer", write_without}}, .start = start,
	.end = one_saw_the_other, .breaks_tso = true);
