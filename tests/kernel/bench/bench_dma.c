/* SPDX-License-Identifier: MIT */
/*
 * Rows about dma_map() and dma_unmap(): 512 pages of RAM that a device is let at, and no more.
 *
 * One call is one section. The pages lie side by side from one behind a 2 MiB boundary on
 * (4k.b512), from the boundary on (2m.b512), or no two of them do (4k.scattered). Nothing else is
 * mapped in the low 2 MiB of the domain, and its tables above the lowest are there.
 */
#include "drivers/iommu/internal.h"
#include "tests/kernel/bench/bench.h"

#define BATCH  512u
#define ORDER  10u  /* of the frames that the pages are taken from */
#define STRIDE 167u /* odd: visits each of 512 pages once, neighbours are none in memory */

struct mapped {
	struct bench_run *b;
	struct dma_device *dev;
	struct dma_mapping map;
	uint64_t frame;
	bool array; /* by an array of names, not as a range */
	struct page *pages[BATCH];
};
static struct mapped mapped; /* under bench's lock */

static void map(void *arg)
{
	struct mapped *m = arg;
	int err = m->array ? dma_map(m->dev, &m->map, m->pages, BATCH, DMA_FROM_DEVICE)
			   : dma_map_range(m->dev, &m->map, m->pages[0], BATCH, DMA_FROM_DEVICE);

	if (err)
		bench_skip(m->b, "dma_map: error %d", err);
}

static void unmap(void *arg)
{
	dma_unmap(&((struct mapped *)arg)->map);
}

static void unmap_if(void *arg)
{
	struct mapped *m = arg;

	if (m->map.dev)
		unmap(m);
}

static bool dma_bench_start(struct bench_run *b, bool array, unsigned first, unsigned stride)
{
	mapped = (struct mapped){.b = b, .array = array, .map.what = "benchmark"};
	if (scratch_choose_edus(1)) {
		bench_skip(b, "%s", refusal());
		return false;
	}
	mapped.dev = edu_dma(scratch_edu(0));
	if (!mapped.dev->domain) {
		bench_skip(b, "%s: %s", mapped.dev->name, mapped.dev->direct);
		return false;
	}
	mapped.frame = frame_alloc(ORDER);
	if (!mapped.frame) {
		bench_skip(b, "no memory");
		return false;
	}
	for (unsigned i = 0; i < BATCH; i++)
		mapped.pages[i] =
			pfn_to_page((mapped.frame >> PAGE_SHIFT) + first + i * stride % BATCH);
	return true;
}

static void measure_map(struct bench_run *b, bool array, unsigned first, unsigned stride)
{
	const struct bench_case c = {.op = map, .after = unmap_if, .arg = &mapped};

	if (!dma_bench_start(b, array, first, stride))
		return;
	bench_measure(b, BENCH_INSNS_PAGE, &c, 200, BATCH);
	frame_free(mapped.frame, ORDER);
}

static void measure_unmap(struct bench_run *b, bool array, unsigned first, unsigned stride)
{
	const struct bench_case c = {.before = map, .op = unmap, .arg = &mapped};

	if (!dma_bench_start(b, array, first, stride))
		return;
	bench_measure(b, BENCH_INSNS_PAGE, &c, 200, BATCH);
	frame_free(mapped.frame, ORDER);
}

/* How often one mapping and its end make the unit forget, and wait for it. */
static void measure_waits(struct bench_run *b, bool array, unsigned first, unsigned stride)
{
	uint64_t before;

	if (!dma_bench_start(b, array, first, stride))
		return;
	before = mapped.dev->domain->unit->invalidations;
	for (unsigned i = 0; i < BATCH && !b->skipped; i++) {
		map(&mapped);
		unmap(&mapped);
	}
	bench_waits(b, mapped.dev->domain->unit->invalidations - before, BATCH);
	frame_free(mapped.frame, ORDER);
}

/* Three rows for each way that the pages may lie. */
#define ROWS_OF(ident, kind, array, first, stride)                                                 \
	static void map_##ident(struct bench_run *b)                                               \
	{                                                                                          \
		measure_map(b, array, first, stride);                                              \
	}                                                                                          \
	BENCH(dma_map_##ident, "dma.map." kind, map_##ident);                                      \
	static void unmap_##ident(struct bench_run *b)                                             \
	{                                                                                          \
		measure_unmap(b, array, first, stride);                                            \
	}                                                                                          \
	BENCH(dma_unmap_##ident, "dma.unmap." kind, unmap_##ident);                                \
	static void waits_##ident(struct bench_run *b)                                             \
	{                                                                                          \
		measure_waits(b, array, first, stride);                                            \
	}                                                                                          \
	BENCH(dma_waits_##ident, "dma.waits." kind, waits_##ident)

ROWS_OF(4k, "4k.b512", false, 1, 1);
ROWS_OF(2m, "2m.b512", false, 0, 1);
ROWS_OF(scattered, "4k.scattered", true, 1, STRIDE);

/* dma.map.4k.array.b512: pages side by side, by an array of their names: each is looked at. */
static void map_array(struct bench_run *b)
{
	measure_map(b, true, 1, 1);
}
BENCH(dma_map_array, "dma.map.4k.array.b512", map_array);
