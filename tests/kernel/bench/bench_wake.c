/* SPDX-License-Identifier: MIT */
/*
 * Rows about the last put of a page that a truncate waits for, in the lifetime idle-at-one (the
 * default one never waits); and one about a wake for which nobody waits, as most are.
 *
 * Two threads on one CPU, whatever the number of CPUs: the waiter is in break_layout(), asleep for
 * the page; the putter holds it. The putter reads the clock, puts, reads it again (wake.put) and
 * yields; the waiter's break_layout() returns and reads the clock (wake.waiter). So one wake and
 * one switch lie in the section, no idle CPU has to be started, and none halts: until the waiter
 * has read the clock, the CPU always has one of the two to run.
 */
#include "tests/kernel/bench/bench.h"

#define REPEATS 101

struct wake {
	struct bench_run *b;
	struct bench_file f;
	struct mm *mm;
	struct page *page;
	struct thread *waiter;
	uint64_t put_start, put_end, returned; /* TSC */
	uint64_t put[REPEATS], wake[REPEATS];
};
static struct wake wake; /* under bench's lock */

/* What truncate does before it takes blocks away. */
static void wait_for_page(void *arg)
{
	struct wake *w = arg;
	struct dax_inode *inode = w->f.inode;
	int err;

	down_write(&inode->io_lock);
	down_write(&inode->fault_lock);
	err = inode->fs->lifetime->break_layout(inode, 0, 1, LAYOUT_SPACE);
	w->returned = rdtsc();
	up_write(&inode->fault_lock);
	up_write(&inode->io_lock);
	if (err)
		bench_skip(w->b, "break_layout: error %d", err);
}

/* The waiter is off the CPU for good: it runs where we do, so it has gone to sleep. */
static void let_it_sleep(struct wake *w)
{
	while (!waiters_on(&w->page->state) ||
	       __atomic_load_n(&w->waiter->state, __ATOMIC_ACQUIRE) != THREAD_SLEEPING)
		thread_yield();
}

static void last_put(void *arg)
{
	struct wake *w = arg;

	put_user_page(w->page);
}

/* The page mapped and held, the waiter asleep. False: skipped. */
static bool meet(struct wake *w)
{
	*(volatile char *)w->f.va = 'w';
	if (get_user_pages_fast(w->f.va, 1, FOLL_GET | FOLL_WRITE, &w->page) != 1) {
		bench_skip(w->b, "get_user_pages_fast refused the page");
		return false;
	}
	w->waiter = thread_create("bench waiter", wait_for_page, w, 1u << cpu_id());
	if (!w->waiter) {
		put_user_page(w->page);
		bench_skip(w->b, "no memory for a thread");
		return false;
	}
	let_it_sleep(w);
	return true;
}

static void one_round(struct wake *w, unsigned i)
{
	uint64_t start, end;

	if (!meet(w))
		return;
	start = rdtsc();
	last_put(w);
	end = rdtsc();
	while (!__atomic_load_n(&w->returned, __ATOMIC_ACQUIRE))
		thread_yield();
	w->put[i] = end - start;
	w->wake[i] = w->returned - start;
	w->returned = 0;
	thread_join(w->waiter);
}

/* Pinned to one CPU for all rounds. */
static void putter(void *arg)
{
	struct wake *w = arg;

	mm_use(w->mm);
	for (unsigned i = 0; i < REPEATS && !w->b->skipped; i++)
		one_round(w, i);
	if (!w->b->skipped && meet(w)) {
		bench_count(w->b, last_put, w, 1);
		while (!__atomic_load_n(&w->returned, __ATOMIC_ACQUIRE))
			thread_yield();
		w->returned = 0;
		thread_join(w->waiter);
	}
	mm_use(NULL);
}

static void measure(struct bench_run *b, uint64_t *ticks)
{
	struct thread *t;

	wake = (struct wake){.b = b};
	if (!bench_file_start_as(b, &wake.f, 1, &lifetime_idle_at_one))
		return;
	bench_file_map(&wake.f, 0);
	wake.mm = current_mm();
	t = thread_create("bench putter", putter, &wake, 1);
	if (t)
		thread_join(t);
	else
		bench_skip(b, "no memory for a thread");
	if (!b->skipped)
		bench_samples(b, BENCH_INSNS, ticks, REPEATS, 1);
	bench_file_end(&wake.f);
}

/* wake.put: the last put of a page with one waiter, the waking of the waiter included. */
static void wake_put(struct bench_run *b)
{
	measure(b, wake.put);
}
BENCH(wake_put, "wake.put", wake_put);

/* wake.waiter: from before that put until break_layout() has returned in the waiter: put, switch,
 * the fault lock again, a second scan that finds the page idle. The counts are those of the put. */
static void wake_waiter(struct bench_run *b)
{
	measure(b, wake.wake);
	b->counted = false;
}
BENCH(wake_waiter, "wake.waiter", wake_waiter);

static void ten_wakes(void *arg)
{
	for (unsigned i = 0; i < 10; i++)
		wake_up(arg);
}

/* wake.nobody: wake_up() for an address that nobody sleeps at, ten in a row; there may be sleepers
 * elsewhere, in other buckets. */
static void wake_nobody(struct bench_run *b)
{
	struct bench_case c = {.op = ten_wakes, .arg = &wake};

	bench_measure(b, BENCH_INSNS, &c, REPEATS, 10);
}
BENCH(wake_nobody, "wake.nobody", wake_nobody);
