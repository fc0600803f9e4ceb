/* SPDX-License-Identifier: MIT */
/*
 * Rows that put the designs side by side: what the last holder of a page pays when he lets go.
 *
 *   put.last         nobody waits, the file still has the page, nothing maps it any more
 *   put.last.waiter  somebody sleeps for it: who punches the page; in busy-extent, where nobody
 *                    waits for a page, who asked to wait for a block of a full device
 *   put.freed        nobody waits, and the file lost the page's block while it was held; in
 *                    busy-extent this put gives the block to the allocator
 *
 * In zap-to-zero the entry has a reference, so put.last is from 2 to 1 and a plain subtraction;
 * with a waiter the entry was zapped before. In lease-poll a put tells nobody.
 */
#include "tests/kernel/bench/bench.h"

#define REPEATS	       101
#define WAITED_REPEATS 3 /* lease-poll sleeps a second in each */

static void put(void *arg)
{
	lived_let_go(arg);
}

/* Held, and nothing maps it. */
static void refill_unmapped(void *arg)
{
	struct lived *l = arg;

	lived_refill(l);
	bench_file_unmap(&l->f);
}

static void put_last(struct bench_run *b, const struct lifetime *lt)
{
	struct lived l = {.b = b, .holds = true};
	const struct bench_case c = {.before = refill_unmapped, .op = put, .arg = &l};

	if (!lived_start(&l, lt))
		return;
	bench_measure(b, BENCH_INSNS, &c, REPEATS, 1);
	lived_end(&l);
}
LIFETIME_ROWS("put.last", put_last, put_last);

/* ---- the block is gone -------------------------------------------------------------------- */

static void refill_truncated(void *arg)
{
	struct lived *l = arg;

	lived_refill(l);
	if (!l->b->skipped)
		lived_truncate(l);
}

/* Truncate sleeps while the page is held: tried, and ended by the put. */
static bool truncate_sleeps(struct lived *l)
{
	struct sleeper s = {.op = lived_truncate, .l = l};
	bool slept;

	lived_refill(l);
	slept = sleeper_sleeps(&s);
	lived_let_go(l);
	sleeper_join(&s);
	return slept;
}

static void put_freed(struct bench_run *b, const struct lifetime *lt)
{
	struct lived l = {.b = b, .holds = true};
	const struct bench_case c = {.before = refill_truncated, .op = put, .arg = &l};

	if (!lived_start(&l, lt))
		return;
	if (lt->refuses)
		bench_skip(b, "no block goes while its page is held: truncate is refused");
	else if (truncate_sleeps(&l))
		bench_skip(b,
			   "no block goes while its page is held: truncate waits for the holder");
	else
		bench_measure(b, BENCH_INSNS, &c, REPEATS, 1);
	lived_end(&l);
}
LIFETIME_ROWS("put.freed", put_freed, put_freed);

/* ---- somebody sleeps ---------------------------------------------------------------------- */

static void allocate(void *arg)
{
	struct lived *l = arg;
	int err = dax_fallocate_wait(l->f.inode, 0, PAGE_SIZE, false);

	if (err)
		bench_skip(l->b, "waiting for space: error %d: %s", err, refusal());
}

/* Nothing is free but the page's block, which the file loses now. */
static void give_up_last_block(struct lived *l)
{
	int err = scratch_fill("fill");

	if (err)
		bench_skip(l->b, "the device could not be filled: error %d", err);
	else
		lived_truncate(l);
}

/* One sleeper, one put. False: skipped. `timed` NULL: single-stepped instead. */
static bool one_put(struct lived *l, uint64_t *timed)
{
	bool keeps = l->f.fs->lifetime->idle_run;
	struct sleeper s = {.op = keeps ? allocate : lived_punch, .l = l};
	uint64_t start;

	lived_refill(l);
	if (keeps && !l->b->skipped)
		give_up_last_block(l);
	if (l->b->skipped)
		return false;
	if (!sleeper_sleeps(&s))
		bench_skip(l->b, "nobody waits for a held page");
	start = rdtsc();
	if (timed)
		put(l);
	else
		bench_count(l->b, put, l, 1);
	if (timed)
		*timed = rdtsc() - start;
	sleeper_join(&s);
	return !l->b->skipped;
}

static void put_all(struct lived *l)
{
	uint64_t ticks[WAITED_REPEATS];
	unsigned n = 0;

	while (n < WAITED_REPEATS && one_put(l, &ticks[n]))
		n++;
	if (!l->b->skipped && one_put(l, NULL))
		bench_samples(l->b, BENCH_INSNS, ticks, n, 1);
}

/* Sleeper and putter share one CPU, so that a wake is the same work on every machine. */
struct pinned {
	struct lived *l;
	struct mm *mm;
};

static void pinned_putter(void *arg)
{
	struct pinned *p = arg;

	mm_use(p->mm);
	put_all(p->l);
	mm_use(NULL);
}

static void put_last_waiter(struct bench_run *b, const struct lifetime *lt)
{
	struct lived l = {.b = b, .holds = true};
	struct pinned p = {.l = &l};
	struct thread *t;

	if (!lived_start(&l, lt))
		return;
	p.mm = current_mm();
	t = thread_create("bench putter", pinned_putter, &p, 1);
	if (t)
		thread_join(t);
	else
		bench_skip(b, "no memory for a thread");
	lived_end(&l);
}
LIFETIME_ROWS("put.last.waiter", put_last_waiter, put_last_waiter);
