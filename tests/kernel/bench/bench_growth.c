/* SPDX-License-Identifier: MIT */
/*
 * Rows about growth: does a page cost the same when there are many? growth.WORK.4k.N is the cost
 * per page of one section over N pages, N from 16 to 65,536 in steps of four.
 *
 *   gup       one get_user_pages_fast() for N present, writable, dirty pages, side by side
 *   fault     N stores, one page after the other, into a mapping without entries: blocks written,
 *             records there; page tables and index nodes are made on the way
 *   truncate  one truncate to nothing of N pages that are mapped and were stored to
 *
 * A section costs a fixed part (the call, the first page table, the first index node) and so much
 * for every further page. Only the second is growth. So whoever judges takes the slope between
 * neighbours, (T(4N) - T(N)) / 3N with T = N times the row, and compares the slopes from 64 pages
 * on: the largest may be a tenth above the smallest (tests/qemu/test_bench.py). The row of 16 pages
 * carries the fixed part and is there to show it.
 */
#include "tests/kernel/bench/bench.h"

struct growth {
	struct bench_run *b;
	struct bench_file f;
	struct page **pages;
};

#define COUNTED 1024u /* pages at most; a larger section is timed once, and not single-stepped */

static void measure(struct bench_run *b, const struct bench_case *c, uint64_t pages)
{
	uint64_t ticks;

	if (pages <= COUNTED) {
		bench_measure(b, BENCH_INSNS_PAGE, c, 5, pages);
		return;
	}
	if (c->before)
		c->before(c->arg);
	ticks = rdtsc();
	if (!b->skipped)
		c->op(c->arg);
	ticks = rdtsc() - ticks;
	if (c->after)
		c->after(c->arg);
	if (!b->skipped)
		bench_samples(b, BENCH_INSNS_PAGE, &ticks, 1, pages);
}

/* ---- gup ------------------------------------------------------------------------------------- */

static void get(void *arg)
{
	struct growth *g = arg;
	long n = get_user_pages_fast(g->f.va, g->f.pages, FOLL_GET | FOLL_WRITE, g->pages);

	if (n != (long)g->f.pages)
		bench_skip(g->b, "get_user_pages_fast: %ld of %lu pages", n, g->f.pages);
}

static void put(void *arg)
{
	struct growth *g = arg;

	if (!g->b->skipped)
		put_user_pages(g->pages, g->f.pages);
}

static void gup(struct bench_run *b, uint64_t pages)
{
	struct growth g = {.b = b};
	const struct bench_case c = {.op = get, .after = put, .arg = &g};

	g.pages = malloc(pages * sizeof(struct page *));
	if (!g.pages)
		bench_skip(b, "no memory for %lu pointers", pages);
	else if (bench_file_start(b, &g.f, pages)) {
		bench_file_map(&g.f, 0);
		measure(b, &c, pages);
		bench_file_end(&g.f);
	}
	free(g.pages);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void populate_records(struct growth *g)
{
	struct dax_inode *inode = g->f.inode;
	struct dax_run run = {0};

	down_read(&inode->fault_lock);
	for (uint64_t i = 0; i < g->f.pages && !g->b->skipped; i += run.count)
		if (inode->ops->map_run(inode, i, (uint32_t)(g->f.pages - i), false, &run) ||
		    page_records_populate(run.pfn, run.count))
			bench_skip(g->b, "page %lu has no block or no record: %s", i, refusal());
	up_read(&inode->fault_lock);
}

/* Nothing of the file is mapped or in the index; its blocks are written. */
static void fresh_mapping(void *arg)
{
	struct growth *g = arg;
	uint64_t va = BENCH_4K;

	bench_file_unmap(&g->f);
	if (g->f.va || dax_truncate(g->f.inode, 0) || !bench_file_write(&g->f) ||
	    dax_mmap(current_mm(), g->f.inode, 0, g->f.pages, true, &va))
		bench_skip(g->b, "the file could not be prepared: %s", refusal());
	else
		g->f.va = va;
	populate_records(g);
}

static void store_each(void *arg)
{
	struct growth *g = arg;

	bench_file_dirty(&g->f);
}

/* A fault's handler is not single-stepped, a call of it is. */
static void fault_each(void *arg)
{
	struct growth *g = arg;

	for (uint64_t i = 0; i < g->f.pages; i++)
		if (mm_fault(current_mm(), g->f.va + i * PAGE_SIZE, true))
			bench_skip(g->b, "page %lu: %s", i, refusal());
}

static void fault(struct bench_run *b, uint64_t pages)
{
	struct growth g = {.b = b};
	const struct bench_case c = {
		.before = fresh_mapping, .op = store_each, .stepped = fault_each, .arg = &g};

	if (!bench_file_start(b, &g.f, pages))
		return;
	measure(b, &c, pages);
	bench_file_end(&g.f);
}

/* ---- truncate -------------------------------------------------------------------------------- */

static void refill(void *arg)
{
	struct growth *g = arg;

	if (!bench_file_write(&g->f))
		bench_skip(g->b, "the file could not be filled: %s", refusal());
	else if (!g->f.va)
		bench_file_map(&g->f, 0);
	else
		bench_file_dirty(&g->f);
}

static void truncate_all(void *arg)
{
	struct growth *g = arg;
	int err = dax_truncate(g->f.inode, 0);

	if (err)
		bench_skip(g->b, "error %d: %s", err, refusal());
}

static void truncate(struct bench_run *b, uint64_t pages)
{
	struct growth g = {.b = b};
	const struct bench_case c = {.before = refill, .op = truncate_all, .arg = &g};

	if (!bench_file_start(b, &g.f, pages))
		return;
	measure(b, &c, pages);
	bench_file_end(&g.f);
}

#define GROWTH(work, n)                                                                            \
	static void work##_##n(struct bench_run *b)                                                \
	{                                                                                          \
		work(b, n);                                                                        \
	}                                                                                          \
	BENCH(growth_##work##_##n, "growth." #work ".4k." #n, work##_##n)
#define SIZES(work)                                                                                \
	GROWTH(work, 16);                                                                          \
	GROWTH(work, 64);                                                                          \
	GROWTH(work, 256);                                                                         \
	GROWTH(work, 1024);                                                                        \
	GROWTH(work, 4096);                                                                        \
	GROWTH(work, 16384);                                                                       \
	GROWTH(work, 65536)

SIZES(gup);
SIZES(fault);
SIZES(truncate);
