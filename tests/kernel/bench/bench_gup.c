/* SPDX-License-Identifier: MIT */
/*
 * Rows about get_user_pages and its way back, over present, writable, dirty 4K mappings of a file.
 *
 * All ask for writing (as a device that fills memory does); one call is one section. "batch" is the
 * number of pages of one call. What a get takes is given back outside its section, and the other
 * way round.
 */
#include "tests/kernel/bench/bench.h"

#define BATCH	  512u
#define SCATTERED (USER_MMAP + 64 * GIB) /* any place that the fixture does not use */
#define STRIDE	  167u			 /* odd: visits each of 512 pages once */

struct gup {
	struct bench_run *b;
	struct bench_file f;
	uint64_t va, batch;
	unsigned flags;
	struct page *pages[BATCH];
};
static struct gup gup; /* under bench's lock */

static void get(void *arg)
{
	struct gup *g = arg;
	long got = get_user_pages_fast(g->va, g->batch, g->flags, g->pages);

	if (got != (long)g->batch)
		bench_skip(g->b, "get_user_pages_fast: %ld of %lu pages", got, g->batch);
}

static void put(void *arg)
{
	struct gup *g = arg;

	if (!g->b->skipped)
		put_user_pages(g->pages, g->batch);
}

static void unpin(void *arg)
{
	struct gup *g = arg;

	if (!g->b->skipped)
		unpin_user_pages(g->pages, g->batch);
}

/* How many pages of the batch do not follow the one before them in memory. */
static unsigned breaks(struct gup *g)
{
	unsigned n = 0;

	get(g);
	for (uint64_t i = 1; i < g->batch && !g->b->skipped; i++)
		n += g->pages[i] != g->pages[i - 1] + 1;
	put(g);
	return n;
}

static bool gup_start(struct bench_run *b, uint64_t batch, unsigned flags)
{
	gup = (struct gup){.b = b, .batch = batch, .flags = flags | FOLL_WRITE};
	if (!bench_file_start(b, &gup.f, BATCH))
		return false;
	bench_file_map(&gup.f, 0);
	gup.va = gup.f.va;
	return true;
}

static void measure(uint64_t batch, unsigned flags, void (*before)(void *), void (*op)(void *),
		    void (*after)(void *), struct bench_run *b)
{
	const struct bench_case c = {.before = before, .op = op, .after = after, .arg = &gup};

	if (!gup_start(b, batch, flags))
		return;
	if (breaks(&gup))
		bench_skip(b, "the file is not contiguous in memory");
	bench_measure(b, batch == 1 ? BENCH_INSNS : BENCH_INSNS_PAGE, &c, batch == 1 ? 1000 : 200,
		      batch);
	bench_file_end(&gup.f);
}

/* gup.get.4k.b1: one call for one page. */
static void get_b1(struct bench_run *b)
{
	measure(1, FOLL_GET, NULL, get, put, b);
}
BENCH(gup_get_4k_b1, "gup.get.4k.b1", get_b1);

/* gup.get.4k.b512: one call for 512 pages that lie side by side in memory. */
static void get_b512(struct bench_run *b)
{
	measure(BATCH, FOLL_GET, NULL, get, put, b);
}
BENCH(gup_get_4k_b512, "gup.get.4k.b512", get_b512);

/* One mapping a page, each of another page of the file. */
static void map_scattered(struct gup *g)
{
	for (uint64_t i = 0; i < BATCH; i++) {
		uint64_t at = SCATTERED + i * PAGE_SIZE;

		if (dax_mmap(current_mm(), g->f.inode, i * STRIDE % BATCH, 1, true, &at))
			bench_skip(g->b, "%s", refusal());
		else
			*(volatile char *)at = 's';
	}
	g->va = SCATTERED;
}

/* gup.get.4k.scattered: one call for 512 pages of which no two neighbours are neighbours in memory.
 */
static void get_scattered(struct bench_run *b)
{
	const struct bench_case c = {.op = get, .after = put, .arg = &gup};

	if (!gup_start(b, BATCH, FOLL_GET))
		return;
	map_scattered(&gup);
	if (!b->skipped && breaks(&gup) != BATCH - 1)
		bench_skip(b, "some pages are neighbours in memory");
	bench_measure(b, BENCH_INSNS_PAGE, &c, 200, BATCH);
	mm_unmap(current_mm(), SCATTERED, BATCH * PAGE_SIZE);
	bench_file_end(&gup.f);
}
BENCH(gup_get_4k_scattered, "gup.get.4k.scattered", get_scattered);

/* gup.put.4k.b512: put_user_pages() of 512 contiguous pages; none becomes idle-and-waited-for. */
static void put_b512(struct bench_run *b)
{
	measure(BATCH, FOLL_GET, get, put, NULL, b);
}
BENCH(gup_put_4k_b512, "gup.put.4k.b512", put_b512);

/* gup.pin / gup.unpin: the same for references that a device will use. */
static void pin_b512(struct bench_run *b)
{
	measure(BATCH, FOLL_PIN, NULL, get, unpin, b);
}
BENCH(gup_pin_4k_b512, "gup.pin.4k.b512", pin_b512);

static void unpin_b512(struct bench_run *b)
{
	measure(BATCH, FOLL_PIN, get, unpin, NULL, b);
}
BENCH(gup_unpin_4k_b512, "gup.unpin.4k.b512", unpin_b512);
