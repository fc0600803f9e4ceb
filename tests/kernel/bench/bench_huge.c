/* SPDX-License-Identifier: MIT */
/*
 * Rows about 2 MiB mappings of files: faults, get_user_pages, flush.
 *
 * The file is sparse and large; a store into each 2 MiB allocated all of it, aligned. For the rows
 * "new" the file system is mounted again, so blocks and records are there and index entries are
 * not.
 */
#include "tests/kernel/bench/bench.h"

#define RANGES 24u /* of 2 MiB; each is faulted once */
#define TIMED  23u

struct huge {
	struct bench_run *b;
	struct bench_file f;
	uint64_t at; /* the next address to touch */
	struct page *pages[FOLIO_PAGES];
};
static struct huge huge; /* under bench's lock */

static void load(void *arg)
{
	struct huge *h = arg;

	(void)*(volatile char *)h->at;
}

static void store(void *arg)
{
	struct huge *h = arg;

	*(volatile char *)h->at = 'h';
}

static void call_fault(struct huge *h, bool write)
{

	if (mm_fault(current_mm(), h->at, write))
		bench_skip(h->b, "%s", refusal());
}

static void call_read_fault(void *arg)
{
	call_fault(arg, false);
}

static void call_write_fault(void *arg)
{
	call_fault(arg, true);
}

static void next_range(void *arg)
{
	struct huge *h = arg;

	h->at += PMD_SIZE;
}

static bool map(struct huge *h)
{
	h->f.va = 0;
	if (dax_mmap(current_mm(), h->f.inode, 0, h->f.pages, true, &h->f.va))
		bench_skip(h->b, "%s", refusal());
	h->at = h->f.va;
	return !h->b->skipped;
}

/* Maps the file and stores to each 2 MiB of it; skipped if one was not served as a whole. */
static bool map_all(struct huge *h)
{
	uint64_t before = huge_count(HUGE_INSTALLED);

	if (!map(h))
		return false;
	for (uint64_t i = 0; i < h->f.pages; i += FOLIO_PAGES)
		*(volatile char *)(h->f.va + i * PAGE_SIZE) = 'h';
	if ((huge_count(HUGE_INSTALLED) - before) * FOLIO_PAGES != h->f.pages)
		bench_skip(h->b, "the file was not mapped by 2 MiB; see 'huge'");
	return !h->b->skipped;
}

static bool start(struct bench_run *b, uint64_t ranges)
{
	huge = (struct huge){.b = b};
	if (scratch_forget_records()) { /* else a fault asks those that earlier rows have made */
		bench_skip(b, "%s", refusal());
		return false;
	}
	if (!bench_file_start(b, &huge.f, 0))
		return false;
	huge.f.pages = ranges * FOLIO_PAGES;
	if (dax_truncate(huge.f.inode, huge.f.pages * PAGE_SIZE))
		bench_skip(b, "%s", refusal());
	else if (map_all(&huge))
		return true;
	bench_file_end(&huge.f);
	return false;
}

/* The same file system and file, with no index entry. */
static bool mount_again(struct huge *h)
{
	struct dax_fs *fs;

	bench_file_unmap(&h->f);
	dax_put(h->f.inode);
	h->f.inode = NULL;
	scratch_umount();
	if (dax_mount(scratch_device(), SCRATCH_PATH, LIFETIME_DEFAULT, &fs)) {
		bench_skip(h->b, "%s", refusal());
		return false;
	}
	h->f.fs = fs;
	if (dax_open(SCRATCH_PATH "/bench", false, &h->f.inode))
		bench_skip(h->b, "%s", refusal());
	return !h->b->skipped;
}

/* fault.2m.read.new: blocks written, record there; no index entry, no page-table entry. From the
 * load to the instruction after it. All records of the 2 MiB that exist are asked whether somebody
 * still holds one of the pages: here the 128 of the head's frame. */
static void read_new(struct bench_run *b)
{
	const struct bench_case c = {
		.op = load, .after = next_range, .stepped = call_read_fault, .arg = &huge};

	if (!start(b, RANGES))
		return;
	if (mount_again(&huge) && map(&huge))
		bench_measure(b, BENCH_INSNS, &c, TIMED, 1);
	bench_file_end(&huge.f);
}
BENCH(fault_2m_read_new, "fault.2m.read.new", read_new);

/* fault.2m.write.present: another mapping of the file has made the index entry; this one has no
 * page-table entry yet. */
static void write_present(struct bench_run *b)
{
	const struct bench_case c = {
		.op = store, .after = next_range, .stepped = call_write_fault, .arg = &huge};
	uint64_t first;

	if (!start(b, RANGES))
		return;
	first = huge.f.va;
	if (map(&huge))
		bench_measure(b, BENCH_INSNS, &c, TIMED, 1);
	mm_unmap(current_mm(), first, huge.f.pages * PAGE_SIZE);
	bench_file_end(&huge.f);
}
BENCH(fault_2m_write_present, "fault.2m.write.present", write_present);

static void get(void *arg)
{
	struct huge *h = arg;
	long got = get_user_pages_fast(h->f.va, FOLIO_PAGES, FOLL_GET | FOLL_WRITE, h->pages);

	if (got != (long)FOLIO_PAGES)
		bench_skip(h->b, "get_user_pages_fast: %ld of %lu pages", got, FOLIO_PAGES);
}

static void put_range(void *arg)
{
	struct huge *h = arg;

	if (!h->b->skipped)
		put_user_page_range(h->pages[0], FOLIO_PAGES);
}

static void put_array(void *arg)
{
	struct huge *h = arg;

	if (!h->b->skipped)
		put_user_pages(h->pages, FOLIO_PAGES);
}

static void measure(struct bench_run *b, void (*before)(void *), void (*op)(void *),
		    void (*after)(void *), unsigned repeats)
{
	const struct bench_case c = {.before = before, .op = op, .after = after, .arg = &huge};

	if (!start(b, 1))
		return;
	huge.at = huge.f.va;
	bench_measure(b, BENCH_INSNS_PAGE, &c, repeats, FOLIO_PAGES);
	bench_file_end(&huge.f);
}

/* gup.get.2m.b512: one call for the 512 pages of one present, writable 2 MiB entry. */
static void get_b512(struct bench_run *b)
{
	measure(b, NULL, get, put_range, 200);
}
BENCH(gup_get_2m, "gup.get.2m.b512", get_b512);

/* gup.put.2m.b512: put_user_page_range() of those 512: the caller knows that they are neighbours.
 */
static void put_b512(struct bench_run *b)
{
	measure(b, get, put_range, NULL, 200);
}
BENCH(gup_put_2m, "gup.put.2m.b512", put_b512);

/* gup.put.2m.array.b512: put_user_pages(), which has to look at all 512 pointers. */
static void put_array_b512(struct bench_run *b)
{
	measure(b, get, put_array, NULL, 200);
}
BENCH(gup_put_2m_array, "gup.put.2m.array.b512", put_array_b512);

static void sync(void *arg)
{
	struct huge *h = arg;

	if (dax_fsync(h->f.inode))
		bench_skip(h->b, "%s", refusal());
}

/* flush.2m: fsync of one 2 MiB entry that was stored to once: write-protect, TLB, 32768 lines,
 * fence. Per 4K page. */
static void flush_2m(struct bench_run *b)
{
	measure(b, store, sync, NULL, 9);
}
BENCH(flush_2m, "flush.2m", flush_2m);
