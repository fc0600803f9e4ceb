/* SPDX-License-Identifier: MIT */
/*
 * Rows about the TLB: what mm/tables/tlb.c weighs when it chooses between pages and everything.
 *
 * An instruction count does not show them: INVLPG is one instruction, a load of CR3 is two, and the
 * walks that follow are none. So these rows mean something only where time is time, without
 * -icount, and compare with each other only on one machine.
 *
 *     flush n pages one by one    n × tlb.page
 *     flush everything            tlb.all + W × (tlb.refill − tlb.load), W: translations that were
 *                                 still wanted
 */
#include "tests/kernel/bench/bench.h"

#define PAGES 512u

static void load_all(void *arg)
{
	const struct bench_file *f = arg;

	for (unsigned i = 0; i < PAGES; i++)
		(void)*(volatile char *)(f->va + i * PAGE_SIZE);
}

static void flush_pages(void *arg)
{
	const struct bench_file *f = arg;

	for (unsigned i = 0; i < PAGES; i++)
		tlb_flush_page_local(f->va + i * PAGE_SIZE);
}

static void flush_all(void *arg)
{
	(void)arg;
	tlb_flush_all_local();
}

static void measure(struct bench_run *b, void (*before)(void *), void (*op)(void *), uint64_t per)
{
	struct bench_file f;
	const struct bench_case c = {.before = before, .op = op, .arg = &f};

	if (!bench_file_start(b, &f, PAGES))
		return;
	bench_file_map(&f, 0);
	bench_measure(b, BENCH_INSNS, &c, 201, per);
	bench_file_end(&f);
}

/* tlb.page: INVLPG of a page whose translation is there; of 512 side by side. */
static void page(struct bench_run *b)
{
	measure(b, load_all, flush_pages, PAGES);
}
BENCH(tlb_page, "tlb.page", page);

/* tlb.all: a load of CR3, with 512 translations there. What the CPU needs at once is in it. */
static void all(struct bench_run *b)
{
	measure(b, load_all, flush_all, 1);
}
BENCH(tlb_all, "tlb.all", all);

/* tlb.refill: a load from a page after everything was flushed. */
static void refill(struct bench_run *b)
{
	measure(b, flush_all, load_all, PAGES);
}
BENCH(tlb_refill, "tlb.refill", refill);

/* tlb.load: the same load with its translation there. */
static void load(struct bench_run *b)
{
	measure(b, load_all, load_all, PAGES);
}
BENCH(tlb_load, "tlb.load", load);
