/* SPDX-License-Identifier: MIT */
/*
 * Rows about 1 GiB of a file mapped at once: map.1g.4k and map.1g.2m, fork.1g.4k and fork.1g.2m.
 *
 * map: dax_mmap() of all of a written file, shared and writable, mm_populate() and mm_unmap(), per
 * page of 4 KiB. It was mapped and populated once before, so index entries and page records are
 * there; page tables that the unmap leaves are there as well. It is timed once: of so many pages an
 * interrupt does not show. Populating is by loads, on both sides of the comparison.
 *
 * fork: with that mapping populated, mm_fork() and the thread that will run in the copy, until both
 * calls have returned, per page of 4 KiB. The new thread has not run by then: what it does first,
 * its end and the end of the copy are outside. A kernel thread of this system has no process around
 * it: no descriptors, no signal handlers, no program of its own with private pages.
 */
#include "tests/kernel/bench/bench.h"

#define PAGES (GIB >> PAGE_SHIFT)
#define NAME  SCRATCH_PATH "/map"
#define FORKS 101
#define PIECE 4096u /* pages that are single-stepped, where all would take minutes */
#define AT_4K BENCH_4K
#define AT_2M (USER_MMAP + PMD_SIZE)

struct area {
	struct bench_run *b;
	struct bench_file f;
	uint64_t at, pages;
};

static bool map_it(struct area *a)
{
	uint64_t va = a->at;

	if (dax_mmap(current_mm(), a->f.inode, 0, a->pages, true, &va) ||
	    mm_populate(current_mm(), va, a->pages << PAGE_SHIFT)) {
		bench_skip(a->b, "%s", refusal());
		return false;
	}
	return true;
}

static void map_and_unmap(void *arg)
{
	struct area *a = arg;

	if (map_it(a) && mm_unmap(current_mm(), a->at, a->pages << PAGE_SHIFT))
		bench_skip(a->b, "it cannot be unmapped");
}

/* Written blocks, in one run as far as the file system has it. */
static bool write_all(struct area *a)
{
	a->f.pages = PAGES;
	if (dax_open(NAME, true, &a->f.inode) || dax_fallocate(a->f.inode, 0, GIB, false) ||
	    !bench_file_write(&a->f) || dax_fsync(a->f.inode)) {
		bench_skip(a->b, "%s", refusal());
		return false;
	}
	return true;
}

/* The file, mapped at `at` and unmapped once. False: skipped, nothing to undo. */
static bool start(struct area *a, struct bench_run *b, uint64_t at)
{
	uint64_t before = huge_count(HUGE_INSTALLED);

	*a = (struct area){.b = b, .at = at, .pages = PAGES};
	if (!bench_fs_start(b, &a->f, SCRATCH_HUGE))
		return false;
	if (write_all(a))
		map_and_unmap(a);
	if (IS_ALIGNED(at, PMD_SIZE) && huge_count(HUGE_INSTALLED) - before != PAGES / FOLIO_PAGES)
		bench_skip(b, "the file was not mapped by 2 MiB; see 'huge'");
	if (!b->skipped)
		return true;
	bench_file_end(&a->f);
	return false;
}

static void measure_map(struct bench_run *b, uint64_t at)
{
	static struct area a; /* under bench's lock */
	uint64_t ticks;

	if (!start(&a, b, at))
		return;
	ticks = rdtsc();
	map_and_unmap(&a);
	ticks = rdtsc() - ticks;
	bench_samples(b, BENCH_INSNS_PAGE, &ticks, 1, PAGES);
	a.pages = PIECE;
	bench_count(b, map_and_unmap, &a, PIECE);
	bench_file_end(&a.f);
}

static void map_4k(struct bench_run *b)
{
	measure_map(b, AT_4K);
}
BENCH(map_1g_4k, "map.1g.4k", map_4k);

static void map_2m(struct bench_run *b)
{
	measure_map(b, AT_2M);
}
BENCH(map_1g_2m, "map.1g.2m", map_2m);

/* ---- fork ------------------------------------------------------------------------------------ */

struct forked {
	struct area a;
	struct mm *child;
	struct thread *thread; /* NULL: none was made */
	bool ran, go;
};
static struct forked forked; /* under bench's lock */

static void child_main(void *arg)
{
	struct forked *f = arg;

	__atomic_store_n(&f->ran, true, __ATOMIC_RELEASE);
	mm_use(f->child);
	wait_event(&f->go, __atomic_load_n(&f->go, __ATOMIC_ACQUIRE), "the end of a fork's measure",
		   "end_child()");
	mm_use(NULL);
}

static void fork_it(void *arg)
{
	struct forked *f = arg;

	f->child = mm_fork(current_mm(), "forked");
	if (f->child)
		f->thread = thread_create("forked", child_main, f, 1u << cpu_id());
}

static void forget_child(void *arg)
{
	struct forked *f = arg;

	f->child = NULL;
	f->thread = NULL;
	f->ran = f->go = false;
}

static void end_child(void *arg)
{
	struct forked *f = arg;

	if (!f->thread)
		bench_skip(f->a.b, "no memory for a fork");
	else if (f->ran)
		bench_skip(f->a.b, "the child ran before its fork had returned");
	__atomic_store_n(&f->go, true, __ATOMIC_RELEASE);
	wake_up(&f->go);
	if (f->thread)
		thread_join(f->thread);
	if (f->child)
		mm_put(f->child);
}

static void measure_fork(struct bench_run *b, uint64_t at)
{
	const struct bench_case c = {
		.before = forget_child, .op = fork_it, .after = end_child, .arg = &forked};

	if (!start(&forked.a, b, at))
		return;
	if (map_it(&forked.a))
		bench_measure(b, BENCH_INSNS_PAGE, &c, FORKS, PAGES);
	forked.a.f.va = at; /* bench_file_end() unmaps it */
	bench_file_end(&forked.a.f);
}

static void fork_4k(struct bench_run *b)
{
	measure_fork(b, AT_4K);
}
BENCH(fork_1g_4k, "fork.1g.4k", fork_4k);

static void fork_2m(struct bench_run *b)
{
	measure_fork(b, AT_2M);
}
BENCH(fork_1g_2m, "fork.1g.2m", fork_2m);
