/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: zero range, collapse, insert, exchange of mapped files (reshape.*). Every
 * page carries a number, so whatever moves can be found again.
 */
#include "tests/kernel/lib/reshape.h"

SELFTEST(reshape_zero, "reshape.zero",
	 "zero range: whole pages lose their entries and keep their blocks, edges are zeroed")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_numbered(&fx, "f", 8, 100), free, at_entry = 3;

	EXPECT_OR(out, va, "not mapped: %s", refusal());
	free = fx_free_blocks(&fx);
	EXPECT_OR(out, !dax_zero_range(fx.inode[0], 2 * PAGE_SIZE + 8, 3 * PAGE_SIZE, false), "%s",
		  refusal());
	EXPECT_OR(out, !entry_next(fx.inode[0], &at_entry, 5), "page 3 still has an entry");
	EXPECT_OR(out, fx_free_blocks(&fx) == free, "%ld block(s) left the file",
		  (long)(fx_free_blocks(&fx) - free));
	EXPECT_OR(out, *word(va, 2) == 102 && at(va)[2 * PAGE_SIZE + 8] == 0, "the first edge");
	EXPECT_OR(out, !nonzero(va, 3, 6), "%u page(s) are not zero", nonzero(va, 3, 6));
	EXPECT_OR(out, at(va)[5 * PAGE_SIZE + 8] == 'x', "the second edge");
	*word(va, 4) = 7; /* the unwritten block is filled, and is the same one */
	EXPECT_OR(out, at(va)[4 * PAGE_SIZE + 8] == 0 && fx_free_blocks(&fx) == free,
		  "old bytes came back, or a block was taken");
	EXPECT_OR(out, !held(&fx, 0) && !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(reshape_zero_extends, "reshape.zero-extends",
	 "zero range beyond the end extends the file, or keeps its size if told to")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_numbered(&fx, "f", 2, 1);

	EXPECT_OR(out, va, "not mapped");
	EXPECT_OR(out, !dax_zero_range(fx.inode[0], PAGE_SIZE, 3 * PAGE_SIZE, true), "%s",
		  refusal());
	EXPECT_OR(out, fx.inode[0]->size == 2 * PAGE_SIZE, "size %lu", fx.inode[0]->size);
	EXPECT_OR(out, !dax_zero_range(fx.inode[0], PAGE_SIZE, 3 * PAGE_SIZE + 5, false), "%s",
		  refusal());
	EXPECT_OR(out, fx.inode[0]->size == 4 * PAGE_SIZE + 5, "size %lu", fx.inode[0]->size);
	EXPECT_OR(out, *word(va, 0) == 1 && !nonzero(va, 1, 2) && !check_all(), "contents");
	EXPECT_OR(out, dax_zero_range(fx.inode[0], 0, 0, false) == -EINVAL, "no byte is accepted");
	EXPECT_OR(out, dax_zero_range(fx.inode[0], 0, 1ul << 40, false) == -ENOSPC,
		  "more than the device is accepted");
out:
	fixture_end(&fx);
}

SELFTEST(reshape_collapse, "reshape.collapse",
	 "collapse: a mapping shows what moved down, the end is cut off, the blocks are free")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_numbered(&fx, "f", 10, 100), free, v;

	EXPECT_OR(out, va, "not mapped");
	free = fx_free_blocks(&fx);
	EXPECT_OR(out, !dax_collapse(fx.inode[0], 2 * PAGE_SIZE, 3 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, fx.inode[0]->size == 7 * PAGE_SIZE, "size %lu", fx.inode[0]->size);
	EXPECT_OR(out, !wrong(va, 0, 2, 100) && !wrong(va, 2, 7, 105), "contents");
	EXPECT_OR(out, load_checked((uint64_t *)PAGE(va, 7), &v) == -EFAULT,
		  "page 7 is still there");
	EXPECT_OR(out, fx_free_blocks(&fx) == free + 3, "%ld block(s) freed",
		  (long)(fx_free_blocks(&fx) - free));
	EXPECT_OR(out, !held(&fx, 0) && !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(reshape_insert, "reshape.insert",
	 "insert: a hole appears, what was behind it is shown behind it, no block is taken")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 6, 'x');
	uint64_t va = f ? fx_map_as_is(&fx, f, 9, true) : 0, free;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 6; i++)
		*word(va, i) = 100 + i;
	free = fx_free_blocks(&fx);
	EXPECT_OR(out, !dax_insert(f, 2 * PAGE_SIZE, 3 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, f->size == 9 * PAGE_SIZE, "size %lu", f->size);
	EXPECT_OR(out, !wrong(va, 0, 2, 100) && !nonzero(va, 2, 5) && !wrong(va, 5, 9, 102),
		  "contents");
	EXPECT_OR(out, fx_free_blocks(&fx) == free, "%ld block(s) taken",
		  (long)(free - fx_free_blocks(&fx)));
	*word(va, 3) = 1; /* and the hole is one that can be filled */
	EXPECT_OR(out, *word(va, 3) == 1 && !held(&fx, 0) && !check_all(), "an invariant");
out:
	fixture_end(&fx);
}

SELFTEST(reshape_exchange, "reshape.exchange",
	 "exchange: two mapped files show each other's pages, and each page knows its new file")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t a = map_numbered(&fx, "a", 6, 100), b = map_numbered(&fx, "b", 6, 200), free;
	struct page *was;

	EXPECT_OR(out, a && b, "not mapped");
	free = fx_free_blocks(&fx);
	was = fx_va_to_page(PAGE(a, 2));
	EXPECT_OR(out,
		  !dax_exchange(fx.inode[0], PAGE_SIZE, fx.inode[1], 3 * PAGE_SIZE, 2 * PAGE_SIZE),
		  "%s", refusal());
	EXPECT_OR(out, !wrong(a, 1, 3, 203) && !wrong(b, 3, 5, 101), "what was exchanged");
	EXPECT_OR(out, *word(a, 0) == 100 && !wrong(a, 3, 6, 103), "the rest of a");
	EXPECT_OR(out, !wrong(b, 0, 3, 200) && *word(b, 5) == 205, "the rest of b");
	EXPECT_OR(out, fx_va_to_page(PAGE(b, 4)) == was && was->mapping == &fx.inode[1]->mapping,
		  "the page was copied, or names its old file");
	EXPECT_OR(out, fx_free_blocks(&fx) == free, "blocks were taken or freed");
	/* the other way round, which is the other order of inode numbers */
	EXPECT_OR(out,
		  !dax_exchange(fx.inode[1], 3 * PAGE_SIZE, fx.inode[0], PAGE_SIZE, 2 * PAGE_SIZE),
		  "%s", refusal());
	EXPECT_OR(out, !wrong(a, 0, 6, 100) && !wrong(b, 0, 6, 200), "not undone");
	EXPECT_OR(out, !held(&fx, 0) && !held(&fx, 1) && !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(reshape_refusals, "reshape.refusals",
	 "what is refused says why, before anything is unmapped, and changes nothing")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t a = map_numbered(&fx, "a", 4, 100), b = map_numbered(&fx, "b", 2, 200);
	struct dax_inode *f = fx.inode[0], *g = fx.inode[1];

	EXPECT_OR(out, a && b, "not mapped");
	EXPECT_OR(out, dax_collapse(f, 1, PAGE_SIZE) == -EINVAL && strstr(refusal(), "multiples"),
		  "%s", refusal());
	EXPECT_OR(out, dax_collapse(f, 2 * PAGE_SIZE, 2 * PAGE_SIZE) == -EINVAL, "up to the end");
	EXPECT_OR(out, dax_insert(f, 4 * PAGE_SIZE, PAGE_SIZE) == -EINVAL, "insert at the end");
	EXPECT_OR(out, dax_insert(f, 0, 1ul << 44) == -EFBIG, "%s", refusal());
	EXPECT_OR(out, dax_exchange(f, 0, f, 2 * PAGE_SIZE, PAGE_SIZE) == -EINVAL, "one file");
	EXPECT_OR(out, dax_exchange(f, 0, g, 0, 3 * PAGE_SIZE) == -EINVAL, "beyond the end of b");
	EXPECT_OR(out, dax_exchange(f, 0, g, 0, 100) == -EINVAL, "a part of a page");
	EXPECT_OR(out, fx_va_to_page(PAGE(a, 3)) && fx_va_to_page(PAGE(b, 1)),
		  "something was unmapped");
	EXPECT_OR(out, !wrong(a, 0, 4, 100) && !wrong(b, 0, 2, 200) && !check_all(), "contents");
out:
	fixture_end(&fx);
}

/* ---- 2 MiB entries ---------------------------------------------------------------------- */

SELFTEST(
	reshape_huge_shift, "reshape.huge-shift",
	"collapse and insert inside 2 MiB entries: single pages serve, until the extents fit again")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 2);
	struct dax_inode *f = fx.inode[0];

	EXPECT_OR(out, va && level_at(va) == 2 && level_at(PAGE(va, N)) == 2, "not by 2 MiB");
	number_pages(va);
	number_pages(PAGE(va, N));
	EXPECT_OR(out, !dax_collapse(f, 10 * PAGE_SIZE, 2 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, !wrong(va, 0, 10, 1) && !wrong(va, 10, N - 2, 13), "the first 2 MiB");
	EXPECT_OR(out, !wrong(va, N - 2, 2 * N - 2, 1) && level_at(va) == 1, "the second");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
	EXPECT_OR(out, !dax_insert(f, 10 * PAGE_SIZE, 2 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, !nonzero(va, 10, 12) && !wrong(va, 12, N, 13), "the hole, or behind it");
	EXPECT_OR(out, !wrong_numbers(PAGE(va, N), 0, N), "the second, moved back");
	EXPECT_OR(out, level_at(PAGE(va, N)) == 2, "the second is not mapped by 2 MiB again");
	EXPECT_OR(out, !held(&fx, 0) && !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(reshape_huge_exchange, "reshape.huge-exchange",
	 "two 2 MiB entries change their files as a whole; a part of one breaks it into pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t a = map_huge(&fx, "a", 1), b = map_huge(&fx, "b", 1);

	EXPECT_OR(out, a && b, "not mapped");
	number_pages(a);
	EXPECT_OR(out, !dax_exchange(fx.inode[0], 0, fx.inode[1], 0, PMD_SIZE), "%s", refusal());
	EXPECT_OR(out, !wrong_numbers(b, 0, N) && *at(a) == 'a' && !*at(PAGE(a, 1)), "contents");
	EXPECT_OR(out, level_at(a) == 2 && level_at(b) == 2, "levels %u and %u", level_at(a),
		  level_at(b));
	EXPECT_OR(out, !check_all(), "an invariant is violated");
	EXPECT_OR(out,
		  !dax_exchange(fx.inode[0], 7 * PAGE_SIZE, fx.inode[1], 100 * PAGE_SIZE,
				9 * PAGE_SIZE),
		  "%s", refusal());
	EXPECT_OR(out, !wrong(a, 7, 16, 101) && !nonzero(b, 100, 109), "the part");
	EXPECT_OR(out, !wrong_numbers(b, 0, 100) && !wrong_numbers(b, 109, N), "its neighbours");
	EXPECT_OR(out, !held(&fx, 0) && !held(&fx, 1) && !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

/* ---- what stores left in the caches ------------------------------------------------------ */

/* Bytes written back of one range, seen from below. */
static struct {
	const struct persist_observer *before;
	const char *from;
	uint64_t len, bytes;
} seen;

static void see(const void *p, size_t n)
{
	if ((const char *)p >= seen.from && (const char *)p < seen.from + seen.len)
		seen.bytes += n;
	if (seen.before && seen.before->wrote_back)
		seen.before->wrote_back(p, n);
}

static void see_fence(void)
{
	if (seen.before && seen.before->fenced)
		seen.before->fenced();
}

SELFTEST(reshape_writes_back, "reshape.moved-lines-are-written-back",
	 "a moved page loses the mark that fsync looks for, so its lines go back before (I7)")
{
	static const struct persist_observer observer = {.wrote_back = see, .fenced = see_fence};
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_numbered(&fx, "f", 6, 100);
	int err;

	EXPECT_OR(out, va && !dax_fsync(fx.inode[0]), "not mapped");
	*word(va, 4) = 1;
	seen.from = phys_to_virt(page_to_pfn(fx_va_to_page(PAGE(va, 4))) << PAGE_SHIFT);
	seen.len = PAGE_SIZE;
	seen.bytes = 0;
	seen.before = persist_get_observer();
	persist_set_observer(&observer);
	err = dax_collapse(fx.inode[0], 0, PAGE_SIZE);
	persist_set_observer(seen.before);
	EXPECT_OR(out, !err && seen.bytes >= PAGE_SIZE, "%d, %lu bytes", err, seen.bytes);
	EXPECT_OR(out, *word(va, 3) == 1, "it is not where it belongs");
out:
	fixture_end(&fx);
}

/* ---- two at once, and after a restart ----------------------------------------------------- */

#define ROUNDS 200

static struct dax_inode *other; /* the second file of exchange_often() */

static int exchange_often(struct dax_inode *inode, uint64_t second)
{
	int err = 0;

	for (unsigned i = 0; !err && i < ROUNDS; i++)
		err = second ? dax_exchange(other, 0, inode, 0, 4 * PAGE_SIZE)
			     : dax_exchange(inode, 0, other, 0, 4 * PAGE_SIZE);
	return err;
}

SELFTEST(reshape_both_orders, "reshape.both-orders",
	 "exchanges of the same two files in both orders at once, with stores between: no deadlock")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t a = map_numbered(&fx, "a", 4, 100), b = map_numbered(&fx, "b", 4, 200);
	struct fx_op one = {.inode = fx.inode[0], .fn = exchange_often, .arg = 0};
	struct fx_op two = {.inode = fx.inode[0], .fn = exchange_often, .arg = 1};
	unsigned n = 0;

	other = fx.inode[1];
	EXPECT_OR(out, a && b && fx_start(&one), "no thread");
	if (!fx_start(&two)) {
		fx_join(&one);
		EXPECT_OR(out, false, "no second thread");
	}
	while (!fx_done(&one) || !fx_done(&two)) {
		n += *word(a, n % 4) && *word(b, n % 4);
		cpu_pause();
	}
	fx_join(&one);
	fx_join(&two);
	EXPECT_OR(out, !one.err && !two.err, "errors %d and %d", one.err, two.err);
	EXPECT_OR(out, !wrong(a, 0, 4, 100) && !wrong(b, 0, 4, 200),
		  "an even number of exchanges is not the identity");
	EXPECT_OR(out, !held(&fx, 0) && !held(&fx, 1) && !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

/* Contents of SCRATCH_PATH/f after everything that the test did. */
static bool reads_as(const uint64_t *numbers, unsigned pages)
{
	struct dax_inode *f = scratch_file("f", 0, 0);
	bool same = f && f->size == pages * PAGE_SIZE;
	uint64_t v;

	for (unsigned i = 0; same && i < pages; i++)
		same = dax_read(f, i * PAGE_SIZE, &v, sizeof(v)) == (int64_t)sizeof(v) &&
		       v == numbers[i];
	if (f)
		dax_put(f);
	return same;
}

SELFTEST(reshape_survives_umount, "reshape.survives-umount",
	 "what was moved is there after umount and mount, and bitmap and extents agree")
{
	static const uint64_t expected[] = {100, 0, 0, 200, 0, 104, 105};
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 6, 'x');
	uint64_t va = f ? fx_map_as_is(&fx, f, 7, true) : 0;
	struct pmem_region *region = fx.fs->region;

	EXPECT_OR(out, va, "not mapped");
	EXPECT_OR(out, map_numbered(&fx, "g", 1, 200), "no second file");
	for (unsigned i = 0; i < 6; i++)
		*word(va, i) = 100 + i; /* 100 … 105 */
	EXPECT_OR(out, !dax_collapse(f, PAGE_SIZE, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, !dax_insert(f, PAGE_SIZE, 2 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, !dax_exchange(f, 3 * PAGE_SIZE, fx.inode[1], 0, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, !dax_zero_range(f, 4 * PAGE_SIZE, PAGE_SIZE, false), "%s", refusal());
	EXPECT_OR(out, !check_all(), "an invariant is violated");
	fixture_end(&fx);
	fx.nr = 0;
	EXPECT(!dax_mount(region, SCRATCH_PATH, LIFETIME_DEFAULT, &fx.fs), "%s", refusal());
	EXPECT_OR(out, reads_as(expected, 7), "the contents are not those before");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}
