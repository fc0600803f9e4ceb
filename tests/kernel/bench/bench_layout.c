/* SPDX-License-Identifier: MIT */
/*
 * Rows about letting pages go: truncate, punch, munmap, and fsync of what a mapping dirtied.
 *
 * The file has 4096 pages (512 for the flush), one extent; it is mapped, every page was stored to:
 * page tables, dirty index entries, records are there. The file layer has no journal: its metadata
 * goes straight to memory, written back and fenced inside the section.
 */
#include "tests/kernel/bench/bench.h"

#define PAGES	    4096u
#define FLUSH_PAGES 512u

struct layout {
	struct bench_run *b;
	struct bench_file f;
};

static void check(struct layout *l, int err)
{
	if (err)
		bench_skip(l->b, "error %d: %s", err, refusal());
}

/* Blocks (again, if a truncate or punch took them), a mapping, a store to each page. */
static void refill(void *arg)
{
	struct layout *l = arg;

	if (!bench_file_write(&l->f))
		bench_skip(l->b, "the file could not be filled: %s", refusal());
	else if (!l->f.va)
		bench_file_map(&l->f, 0);
	else
		bench_file_dirty(&l->f);
}

static void truncate(void *arg)
{
	struct layout *l = arg;

	check(l, dax_truncate(l->f.inode, 0));
}

static void punch(void *arg)
{
	struct layout *l = arg;

	check(l, dax_punch(l->f.inode, 0, PAGES * PAGE_SIZE));
}

static void map_dirty(void *arg)
{
	struct layout *l = arg;

	bench_file_map(&l->f, 0);
}

static void unmap(void *arg)
{
	struct layout *l = arg;

	bench_file_unmap(&l->f);
}

static void dirty(void *arg)
{
	struct layout *l = arg;

	bench_file_dirty(&l->f);
}

static void sync(void *arg)
{
	struct layout *l = arg;

	check(l, dax_fsync(l->f.inode));
}

static void measure(struct bench_run *b, uint64_t pages, unsigned repeats, void (*before)(void *),
		    void (*op)(void *))
{
	struct layout l = {.b = b};
	const struct bench_case c = {.before = before, .op = op, .arg = &l};

	if (!bench_file_start(b, &l.f, pages))
		return;
	if (before == dirty)
		bench_file_map(&l.f, 0);
	bench_measure(b, BENCH_INSNS_PAGE, &c, repeats, pages);
	bench_file_end(&l.f);
}

/* truncate.4k.4096: ftruncate to 0: scan for busy pages, size, page-table entries, TLB, index
 * entries, page -> file links, extent, bitmap. The mapping stays, empty. */
static void truncate_4096(struct bench_run *b)
{
	measure(b, PAGES, 5, refill, truncate);
}
BENCH(truncate_4k_4096, "truncate.4k.4096", truncate_4096);

/* punch.4k.4096: the same work by a hole over the whole file. Dirty lines of pages that go are not
 * written back: nobody can read them any more (Linux does write them back). */
static void punch_4096(struct bench_run *b)
{
	measure(b, PAGES, 5, refill, punch);
}
BENCH(punch_4k_4096, "punch.4k.4096", punch_4096);

/* munmap.4k.4096: mm_unmap() of the mapping; the index entries stay, dirty as they are. */
static void munmap_4096(struct bench_run *b)
{
	measure(b, PAGES, 5, map_dirty, unmap);
}
BENCH(munmap_4k_4096, "munmap.4k.4096", munmap_4096);

/* flush.4k: fsync of 512 pages, each stored to once through the mapping: write-protect, TLB, 64
 * lines a page, fence. Per 4K page. */
static void flush_4k(struct bench_run *b)
{
	measure(b, FLUSH_PAGES, 9, dirty, sync);
}
BENCH(flush_4k, "flush.4k", flush_4k);
