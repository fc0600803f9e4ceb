/* SPDX-License-Identifier: MIT */
/*
 * What the seed tests share. A seed test asserts what one historic patch was for, and is named
 * after its place: seed.s0.09 is patch 9 of the first series (docs/seeds.md). Series s3 repeats
 * patches of s0 for its own design, so the same body runs under another lifetime.
 *
 * Each test says in a comment what breaks it.
 */
#ifndef TESTS_KERNEL_SEED_SEED_H
#define TESTS_KERNEL_SEED_SEED_H

#include "tests/kernel/lib/fake_disk.h"
#include "tests/kernel/lib/huge.h"

/* ---- moves (seed.c) ----------------------------------------------------------------------- */
/* The page at va, pinned; NULL: not mapped, or refused. */
struct page *seed_pin(uint64_t va);
uint64_t seed_pte(uint64_t va); /* the 4K entry of the current mm; 0: none */
uint64_t seed_entry(struct dax_inode *inode, uint64_t pgoff); /* of the index; 0: none */
/* Pages of [va, + pages) that are not at rest: `more` references above the pgmap's rest count are
 * expected of each. */
unsigned seed_unrest(uint64_t va, unsigned pages, uint32_t more);
int seed_punch_first(struct dax_inode *inode, uint64_t unused); /* for struct fx_op */
/* Until the operation sleeps for a lease. False: it ended without. */
bool seed_sleeps_for_lease(struct fx_op *op);
/* Joins an operation that should end by itself now; false: it did not, and was signalled. */
bool seed_ends(struct fx_op *op);
/* Moves the clock on from poll to poll, each time until nothing goes on any more, until the
 * operation is over; false: after ten of them it is not, and it was signalled. Joins it. */
bool seed_over_after_polls(struct fx_op *op);
/* The verdict of one cell of a race. */
struct race_result;
int seed_race(const char *name, const struct lifetime *lt, struct race_result *r);

/* ---- bodies of tests (seed_bodies.c) ------------------------------------------------------ */
struct selftest_run;
void seed_walkers(struct selftest_run *t, const struct lifetime *lt);
void seed_advice(struct selftest_run *t, const struct lifetime *lt);
void seed_dead_flush(struct selftest_run *t, const struct lifetime *lt);
void seed_entry_values(struct selftest_run *t, const struct lifetime *lt);
/* A pinned region on a file is refused and leaves nothing held. */
void seed_region_refused(struct selftest_run *t, const struct lifetime *lt);
void seed_region_of_device(struct selftest_run *t);
/* A punch or truncate sleeps for the pin, and its put ends that. */
void seed_waits(struct selftest_run *t, const struct lifetime *lt,
		int (*fn)(struct dax_inode *, uint64_t), bool unmapped);

#endif
