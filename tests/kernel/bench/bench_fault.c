/* SPDX-License-Identifier: MIT */
/*
 * Rows about page faults: a store or a load on a DAX file, from the access to the instruction after
 * it, exception entry and return included. Blocks are allocated and written, records exist. The
 * median of 500 faults, so the first ones of a page table (it is built) and of an index node do not
 * show.
 *
 * The counts come from a call of the fault handler, as the handler of an exception is not
 * single-stepped; entry and return of the exception itself have none of what is counted.
 */
#include "tests/kernel/bench/bench.h"

#define PAGES 640
#define TIMED 500

struct walk {
	struct bench_run *b;
	struct bench_file f;
	uint64_t at; /* the next address to touch */
};

static void load(void *arg)
{
	struct walk *w = arg;

	(void)*(volatile char *)w->at;
}

static void store(void *arg)
{
	struct walk *w = arg;

	*(volatile char *)w->at = 'f';
}

static void call_read_fault(void *arg)
{
	struct walk *w = arg;

	if (mm_fault(current_mm(), w->at, false))
		bench_skip(w->b, "%s", refusal());
}

static void call_write_fault(void *arg)
{
	struct walk *w = arg;

	if (mm_fault(current_mm(), w->at, true))
		bench_skip(w->b, "%s", refusal());
}

static void next_page(void *arg)
{
	struct walk *w = arg;

	w->at += PAGE_SIZE;
}

/* Maps the file without touching it. False: skipped. */
static bool map_untouched(struct walk *w)
{
	w->f.va = BENCH_4K + GIB;
	if (dax_mmap(current_mm(), w->f.inode, 0, PAGES, true, &w->f.va))
		bench_skip(w->b, "%s", refusal());
	w->at = w->f.va;
	return !w->b->skipped;
}

/* fault.4k.read.present: another mapping of the file has made the index entry; this one has no
 * page-table entry yet. */
static void read_present(struct bench_run *b)
{
	struct walk w = {.b = b};
	const struct bench_case c = {
		.op = load, .after = next_page, .stepped = call_read_fault, .arg = &w};
	uint64_t first;

	if (!bench_file_start(b, &w.f, PAGES))
		return;
	bench_file_map(&w.f, 0);
	first = w.f.va;
	if (map_untouched(&w))
		bench_measure(b, BENCH_INSNS, &c, TIMED, 1);
	mm_unmap(current_mm(), first, PAGES * PAGE_SIZE);
	bench_file_end(&w.f);
}
BENCH(fault_4k_read_present, "fault.4k.read.present", read_present);

/* The records of the file's blocks, so that building them is outside. */
static void populate_records(struct walk *w)
{
	struct dax_inode *inode = w->f.inode;
	struct dax_block block;

	down_read(&inode->fault_lock);
	for (uint64_t i = 0; i < PAGES; i++)
		if (inode->ops->map(inode, i, false, &block) || page_records_populate(block.pfn, 1))
			bench_skip(w->b, "page %lu has no block or no record: %s", i, refusal());
	up_read(&inode->fault_lock);
}

/* fault.4k.write.new: block allocated and written, record there; no index entry, no page-table
 * entry. */
static void write_new(struct bench_run *b)
{
	struct walk w = {.b = b};
	const struct bench_case c = {
		.op = store, .after = next_page, .stepped = call_write_fault, .arg = &w};

	if (!bench_file_start(b, &w.f, PAGES))
		return;
	populate_records(&w);
	if (map_untouched(&w))
		bench_measure(b, BENCH_INSNS, &c, TIMED, 1);
	bench_file_end(&w.f);
}
BENCH(fault_4k_write_new, "fault.4k.write.new", write_new);
