/* SPDX-License-Identifier: MIT */
/*
 * Rows about binding device memory and about page records.
 *
 * Binding touches page tables and the tree of ranges only, so it can be measured on physical
 * addresses where nothing is: the last ones that the CPU can name. Nothing is ever accessed there.
 */
#include "tests/kernel/bench/bench.h"

struct bind {
	struct bench_run *b;
	struct pgmap pgmap;
	uint64_t bytes;
};

/* A pgmap over the top `bytes` of physical memory. False: skipped. */
static bool bind_start(struct bench_run *b, struct bind *m, uint64_t bytes)
{
	unsigned bits = MIN(cpu_features.phys_bits, MAX_PHYS_BITS);

	*m = (struct bind){.b = b, .bytes = bytes};
	if (bytes <= 1ull << (bits - 1))
		return true;
	bench_skip(b, "%lu GiB need more than %u physical address bits; try CPU=max,phys-bits=46",
		   bytes / GIB, bits);
	return false;
}

static void fill_pgmap(void *arg)
{
	struct bind *m = arg;
	unsigned bits = MIN(cpu_features.phys_bits, MAX_PHYS_BITS);
	uint64_t end = 1ull << (bits - PAGE_SHIFT);

	m->pgmap = (struct pgmap){
		.type = PGMAP_FS_DAX, .name = "bench", .node = -1, .nr_range = 1, .rest = 1};
	m->pgmap.range[0].start = end - (m->bytes >> PAGE_SHIFT);
	m->pgmap.range[0].end = end;
}

static void bind(void *arg)
{
	struct bind *m = arg;

	if (memremap_pages(&m->pgmap))
		bench_skip(m->b, "%s", refusal());
}

static void unbind(void *arg)
{
	struct bind *m = arg;

	if (pgmap_is_live(&m->pgmap))
		memunmap_pages(&m->pgmap);
}

/*
 * memremap.SIZE: one memremap_pages() of a range of 4K records: checks, claim, direct map. No
 * record is made. The kernel's upper tables are there; with 1G pages no table is built. Unbinding
 * is outside.
 */
static void measure_bind(struct bench_run *b, uint64_t bytes)
{
	static struct bind m; /* under bench's lock */
	const struct bench_case c = {.before = fill_pgmap, .op = bind, .after = unbind, .arg = &m};

	if (bind_start(b, &m, bytes))
		bench_measure(b, BENCH_INSNS, &c, 9, 1);
}

static void memremap_1g(struct bench_run *b)
{
	measure_bind(b, GIB);
}
BENCH(memremap_1g, "memremap.1g", memremap_1g);

static void memremap_16g(struct bench_run *b)
{
	measure_bind(b, 16 * GIB);
}
BENCH(memremap_16g, "memremap.16g", memremap_16g);

static void memremap_64g(struct bench_run *b)
{
	measure_bind(b, 64 * GIB);
}
BENCH(memremap_64g, "memremap.64g", memremap_64g);

static void memremap_4t(struct bench_run *b)
{
	measure_bind(b, 4096 * GIB);
}
BENCH(memremap_4t, "memremap.4t", memremap_4t);

struct populate {
	struct bind m;
	uint64_t pfn, nr;
};

static void populate(void *arg)
{
	struct populate *p = arg;

	if (page_records_populate(p->pfn, p->nr))
		bench_skip(p->m.b, "no memory for page records");
}

static void next_record_frame(void *arg)
{
	struct populate *p = arg;

	p->pfn += p->nr;
}

/* record.populate: page_records_populate() of the 128 records of one frame that is not there yet:
 * look-up of the pgmap, frame, 128 records of 32 bytes, entry. The page table above is there, but
 * for one call in 512. */
static void record_populate(struct bench_run *b)
{
	static struct populate p;
	const struct bench_case c = {.op = populate, .after = next_record_frame, .arg = &p};

	if (!bind_start(b, &p.m, GIB))
		return;
	fill_pgmap(&p.m);
	bind(&p.m);
	p.pfn = p.m.pgmap.range[0].start;
	p.nr = RECORDS_PER_FRAME;
	if (!b->skipped)
		bench_measure(b, BENCH_INSNS_RECORD, &c, 101, RECORDS_PER_FRAME);
	unbind(&p.m);
}
BENCH(record_populate, "record.populate", record_populate);

/*
 * records.SIZE: bytes of RAM that hold records of one GiB, after binding it and after every page of
 * it was used; with one record per 4 KiB page, per 2 MiB compound, per 1 GiB compound. Page tables
 * of the record window are not counted, on either side of the comparison.
 */
static void weigh_records(struct bench_run *b, unsigned shift, bool touch)
{
	static struct populate p;
	uint64_t before = record_frames;

	if (!bind_start(b, &p.m, GIB))
		return;
	fill_pgmap(&p.m);
	p.m.pgmap.type = shift ? PGMAP_GENERIC : PGMAP_FS_DAX;
	p.m.pgmap.vmemmap_shift = shift;
	bind(&p.m);
	p.pfn = p.m.pgmap.range[0].start;
	p.nr = GIB >> PAGE_SHIFT;
	if (touch && !b->skipped)
		populate(&p);
	bench_bytes(b, (record_frames - before) * PAGE_SIZE, touch ? p.nr >> shift : 1);
	unbind(&p.m);
}

#define WEIGH(ident, dotted, shift, touch)                                                         \
	static void weigh_##ident(struct bench_run *b)                                             \
	{                                                                                          \
		weigh_records(b, shift, touch);                                                    \
	}                                                                                          \
	BENCH(records_##ident, dotted, weigh_##ident)
WEIGH(4k_touched, "records.4k.touched", SHIFT_4K, true);
WEIGH(4k_bind, "records.4k.bind", SHIFT_4K, false);
WEIGH(2m_touched, "records.2m.touched", SHIFT_2M, true);
WEIGH(2m_bind, "records.2m.bind", SHIFT_2M, false);
WEIGH(1g_touched, "records.1g.touched", SHIFT_1G, true);
WEIGH(1g_bind, "records.1g.bind", SHIFT_1G, false);
