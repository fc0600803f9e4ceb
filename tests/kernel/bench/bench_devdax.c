/* SPDX-License-Identifier: MIT */
/*
 * Rows about device-dax: a store into a whole region mapped with pages of one size, from the store
 * to the instruction after it, exception entry and return included. Another mapping has touched the
 * same pages, so records exist; this one has no entry yet.
 */
#include "tests/kernel/bench/bench.h"

#define TIMED_4K 500u
#define TIMED_2M 100u

struct device {
	struct bench_run *b;
	struct pmem_region *r;
	uint64_t at, align;
};

static void store(void *arg)
{
	struct device *d = arg;

	*(volatile char *)d->at = 'd';
}

static void call_fault(void *arg)
{
	struct device *d = arg;

	if (mm_fault(current_mm(), d->at, true))
		bench_skip(d->b, "%s", refusal());
}

static void next_page(void *arg)
{
	struct device *d = arg;

	d->at += d->align;
}

static uint64_t map(struct device *d, uint64_t len)
{
	uint64_t va = 0;

	if (devdax_mmap(current_mm(), d->r, d->align, 0, len, VM_READ | VM_WRITE | VM_SHARED, &va))
		bench_skip(d->b, "%s", refusal());
	return d->b->skipped ? 0 : va;
}

static void write_fault(struct bench_run *b, uint64_t align, unsigned timed)
{
	struct device d = {.b = b, .align = align};
	const struct bench_case c = {
		.op = store, .after = next_page, .stepped = call_fault, .arg = &d};
	uint64_t len = (timed + 2) * align, first, second;
	const char *why;

	d.r = scratch_region(&why);
	if (!d.r) {
		bench_skip(b, "%s", why);
		return;
	}
	first = map(&d, len);
	for (uint64_t off = 0; first && off < len; off += align)
		*(volatile char *)(first + off) = 'd';
	second = first ? map(&d, len) : 0;
	d.at = second;
	if (second)
		bench_measure(b, BENCH_INSNS, &c, timed, 1);
	if (second)
		mm_unmap(current_mm(), second, len);
	if (first)
		mm_unmap(current_mm(), first, len);
}

/* fault.devdax.4k.write: pages of 4 KiB. */
static void write_4k(struct bench_run *b)
{
	write_fault(b, PAGE_SIZE, TIMED_4K);
}
BENCH(fault_devdax_4k, "fault.devdax.4k.write", write_4k);

/* fault.devdax.2m.write: pages of 2 MiB. */
static void write_2m(struct bench_run *b)
{
	write_fault(b, PMD_SIZE, TIMED_2M);
}
BENCH(fault_devdax_2m, "fault.devdax.2m.write", write_2m);
