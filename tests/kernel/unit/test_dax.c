/* SPDX-License-Identifier: MIT */
/* Self-tests: faults, entries, files through mappings and through read and write (dax.*). */
#include "tests/kernel/lib/fixture.h"

SELFTEST(dax_fault_reads, "dax.fault-reads", "a mapping shows what was written to the file")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 3, 'q');

	EXPECT_OR(out, va, "not mapped: %s", refusal());
	for (unsigned i = 0; i < 3; i++)
		EXPECT_OR(out, at(va)[i * PAGE_SIZE + 17] == 'q', "page %u shows 0x%x", i,
			  at(va)[i * PAGE_SIZE + 17]);
out:
	fixture_end(&fx);
}

SELFTEST(dax_store_is_read, "dax.store-is-read", "a store through a mapping is what read returns")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'a');
	char c = 0;

	EXPECT_OR(out, va, "not mapped");
	at(va)[PAGE_SIZE + 5] = 'Z';
	dax_read(fx.inode[0], PAGE_SIZE + 5, &c, 1);
	EXPECT_OR(out, c == 'Z', "read returns 0x%x", c);
out:
	fixture_end(&fx);
}

SELFTEST(dax_write_is_seen, "dax.write-is-seen", "write changes what a mapping already shows")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	char before;

	EXPECT_OR(out, va, "not mapped");
	before = at(va)[0];
	dax_write(fx.inode[0], 0, "b", 1);
	EXPECT_OR(out, before == 'a' && at(va)[0] == 'b', "'%c', then '%c'", before, at(va)[0]);
out:
	fixture_end(&fx);
}

SELFTEST(dax_two_mappings, "dax.two-mappings", "two mappings of a file show the same page")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t a = fx_map(&fx, "f", 1, 'a'), b;

	dax_get(fx.inode[0]);
	b = fx_map_as_is(&fx, fx.inode[0], 1, true);
	EXPECT_OR(out, a && b && a != b, "not mapped twice");
	at(a)[9] = '1';
	EXPECT_OR(out, at(b)[9] == '1', "the other one shows 0x%x", at(b)[9]);
	EXPECT_OR(out, fx_va_to_page(a) == fx_va_to_page(b) && page_maps(fx_va_to_page(a)) == 2,
		  "%u mapping(s) counted", page_maps(fx_va_to_page(a)));
out:
	fixture_end(&fx);
}

SELFTEST(dax_hole_reads_zero, "dax.hole-reads-zero",
	 "reading a hole through a mapping shows zeroes and takes no block")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	uint64_t va, before;
	char c;

	EXPECT_OR(out, f && !dax_truncate(f, 8 * PAGE_SIZE), "no sparse file");
	va = fx_map_as_is(&fx, f, 8, true);
	before = fx_free_blocks(&fx);
	c = at(va)[3 * PAGE_SIZE];
	EXPECT_OR(out, c == 0 && fx_free_blocks(&fx) == before, "0x%x read, %ld block(s) taken", c,
		  (long)(before - fx_free_blocks(&fx)));
	EXPECT_OR(out, !fx_va_to_page(va + 3 * PAGE_SIZE), "the zero page has a record");
out:
	fixture_end(&fx);
}

SELFTEST(dax_hole_filled_by_store, "dax.hole-filled-by-store",
	 "a store into a hole takes one block, and another mapping that showed zeroes sees it")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	uint64_t a, b, before;
	char was;

	EXPECT_OR(out, f && !dax_truncate(f, PAGE_SIZE), "no sparse file");
	a = fx_map_as_is(&fx, f, 1, true);
	dax_get(f);
	b = fx_map_as_is(&fx, f, 1, true);
	before = fx_free_blocks(&fx);
	was = at(b)[100];
	at(a)[100] = 'x';
	EXPECT_OR(out, was == 0 && at(b)[100] == 'x', "0x%x before, 0x%x after", was, at(b)[100]);
	EXPECT_OR(out, before - fx_free_blocks(&fx) == 1, "%lu blocks taken",
		  before - fx_free_blocks(&fx));
	EXPECT_OR(out, at(b)[99] == 0, "the fresh block is not zeroed");
out:
	fixture_end(&fx);
}

SELFTEST(dax_hole_filled_by_write, "dax.hole-filled-by-write",
	 "write into a hole is seen by a mapping that showed zeroes (xfstests generic/428)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	uint64_t va;
	char was;

	EXPECT_OR(out, f && !dax_truncate(f, 2 * PAGE_SIZE), "no sparse file");
	va = fx_map_as_is(&fx, f, 2, true);
	was = at(va)[PAGE_SIZE];
	dax_write(f, PAGE_SIZE, "new", 3);
	EXPECT_OR(out, was == 0 && at(va)[PAGE_SIZE] == 'n', "0x%x before, 0x%x after", was,
		  at(va)[PAGE_SIZE]);
out:
	fixture_end(&fx);
}

SELFTEST(dax_beyond_end, "dax.beyond-end", "an access beyond the end of the file is refused")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	uint64_t va, v;
	int inside, outside;

	EXPECT_OR(out, f, "no file");
	va = fx_map_as_is(&fx, f, 2, true);
	inside = load_checked((uint64_t *)va, &v);
	outside = load_checked((uint64_t *)(va + PAGE_SIZE), &v);
	EXPECT_OR(out, !inside && outside == -EFAULT, "inside %d, outside %d", inside, outside);
	EXPECT_OR(out, strstr(refusal(), "beyond the end"), "reason: '%s'", refusal());
out:
	fixture_end(&fx);
}

SELFTEST(dax_read_only_mapping, "dax.read-only-mapping",
	 "a store through a read-only mapping is refused and changes nothing")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	uint64_t va;
	int err;

	EXPECT_OR(out, f, "no file");
	va = fx_map_as_is(&fx, f, 1, false);
	err = store_checked((uint64_t *)va, 0);
	EXPECT_OR(out, err == -EFAULT && at(va)[0] == 'a', "%d, and the byte is 0x%x", err,
		  at(va)[0]);
out:
	fixture_end(&fx);
}

SELFTEST(dax_truncate_empties, "dax.truncate-empties-index",
	 "truncate leaves no entry behind the new end, and the ones before it stay")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 6, 'a'), first = 0, second;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 6; i++)
		at(va)[i * PAGE_SIZE] = 'b';
	EXPECT_OR(out, fx.inode[0]->index.nr == 6, "%lu entries", fx.inode[0]->index.nr);
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 2 * PAGE_SIZE), "%s", refusal());
	second = 2;
	EXPECT_OR(out, !entry_next(fx.inode[0], &second, ~0ul >> 12),
		  "an entry is left at page %lu", second);
	EXPECT_OR(out, entry_next(fx.inode[0], &first, 1), "page 0 lost its entry");
	EXPECT_OR(out, !check_i6_association() && !check_i3_entries(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(dax_truncate_unmaps, "dax.truncate-unmaps",
	 "after truncate the mapping refuses what was cut off, and shows the rest")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 3, 'a'), v;

	EXPECT_OR(out, va, "not mapped");
	at(va)[2 * PAGE_SIZE] = 'b';
	EXPECT_OR(out, !dax_truncate(fx.inode[0], PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, load_checked((uint64_t *)(va + 2 * PAGE_SIZE), &v) == -EFAULT,
		  "the page cut off is still there");
	EXPECT_OR(out, at(va)[0] == 'a', "the first page shows 0x%x", at(va)[0]);
out:
	fixture_end(&fx);
}

SELFTEST(dax_truncate_frees, "dax.truncate-frees", "truncate to zero gives every block back")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t before = fx_free_blocks(&fx), va = fx_map(&fx, "f", 20, 'a'), used;

	EXPECT_OR(out, va, "not mapped");
	used = before - fx_free_blocks(&fx);
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 0), "%s", refusal());
	EXPECT_OR(out, used >= 20 && fx_free_blocks(&fx) == before,
		  "%lu used, %lu free, %lu before", used, fx_free_blocks(&fx), before);
	EXPECT_OR(out, !check_i1_blocks(), "bitmap and extents disagree");
out:
	fixture_end(&fx);
}

SELFTEST(
	dax_partial_page, "dax.partial-page",
	"truncate inside a page zeroes its tail, and growing again shows zeroes (generic/029, 030)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'a');

	EXPECT_OR(out, va, "not mapped");
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 100) && !dax_truncate(fx.inode[0], 2 * PAGE_SIZE),
		  "%s", refusal());
	EXPECT_OR(out, at(va)[99] == 'a' && at(va)[100] == 0 && at(va)[PAGE_SIZE] == 0,
		  "0x%x 0x%x 0x%x", at(va)[99], at(va)[100], at(va)[PAGE_SIZE]);
out:
	fixture_end(&fx);
}

SELFTEST(dax_punch, "dax.punch", "a hole reads as zero, its neighbours stay, the size stays")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 3, 'a'), free_before;

	EXPECT_OR(out, va, "not mapped");
	at(va)[PAGE_SIZE] = 'b';
	free_before = fx_free_blocks(&fx);
	EXPECT_OR(out, !dax_punch(fx.inode[0], PAGE_SIZE - 4, PAGE_SIZE + 8), "%s", refusal());
	EXPECT_OR(out, fx_free_blocks(&fx) == free_before + 1, "%lu blocks freed",
		  fx_free_blocks(&fx) - free_before);
	EXPECT_OR(out,
		  at(va)[PAGE_SIZE] == 0 && at(va)[PAGE_SIZE - 4] == 0 &&
			  at(va)[2 * PAGE_SIZE + 3] == 0,
		  "the hole is not zero");
	EXPECT_OR(out, at(va)[PAGE_SIZE - 5] == 'a' && at(va)[2 * PAGE_SIZE + 4] == 'a',
		  "a neighbour was zeroed");
	EXPECT_OR(out, fx.inode[0]->size == 3 * PAGE_SIZE, "size %lu", fx.inode[0]->size);
out:
	fixture_end(&fx);
}

SELFTEST(dax_unmap_counts, "dax.unmap-counts", "unmapping gives every mapping count back")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'a');
	struct page *p;

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = 'b';
	p = fx_va_to_page(va);
	EXPECT_OR(out, p && page_maps(p) == 1, "%u mapping(s)", p ? page_maps(p) : 0);
	fx_unmap(&fx, va);
	EXPECT_OR(out, page_maps(p) == 0 && page_refs(p) == p->pgmap->rest,
		  "%u mapping(s), %u refs", page_maps(p), page_refs(p));
out:
	fixture_end(&fx);
}

SELFTEST(dax_unlinked_stays, "dax.unlinked-stays",
	 "an unlinked file keeps its blocks while it is mapped, and gives them back afterwards")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t before = fx_free_blocks(&fx), va = fx_map(&fx, "f", 4, 'a'), used;
	char c;

	EXPECT_OR(out, va, "not mapped");
	used = before - fx_free_blocks(&fx);
	EXPECT_OR(out, !dax_unlink(SCRATCH_PATH "/f"), "%s", refusal());
	c = at(va)[3 * PAGE_SIZE];
	EXPECT_OR(out, c == 'a' && before - fx_free_blocks(&fx) == used, "0x%x, %lu blocks in use",
		  c, before - fx_free_blocks(&fx));
	fx_unmap(&fx, va);
	dax_put(fx.inode[0]);
	fx.inode[0] = NULL;
	EXPECT_OR(out, fx_free_blocks(&fx) == before, "%ld blocks lost",
		  (long)(before - fx_free_blocks(&fx)));
out:
	fixture_end(&fx);
}

struct shared_pages {
	struct mm *mm;
	uint64_t va;
};

static void touch_all(void *arg)
{
	struct shared_pages *s = arg;

	mm_use(s->mm);
	for (unsigned i = 0; i < 32; i++)
		__atomic_fetch_add((uint64_t *)(s->va + i * PAGE_SIZE), 1, __ATOMIC_RELAXED);
	mm_use(NULL);
}

SELFTEST(dax_concurrent_faults, "dax.concurrent-faults",
	 "four threads that fault the same holes at once get one block a page, and lose no store")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	struct shared_pages m = {.mm = current_mm()};
	struct thread *th[4] = {0};
	uint64_t before, wrong = 0;

	EXPECT_OR(out, f && !dax_truncate(f, 32 * PAGE_SIZE), "no sparse file");
	m.va = fx_map_as_is(&fx, f, 32, true);
	before = fx_free_blocks(&fx);
	for (unsigned i = 0; i < 4; i++)
		th[i] = thread_create("toucher", touch_all, &m, 0);
	for (unsigned i = 0; i < 4; i++)
		if (th[i])
			thread_join(th[i]);
	for (unsigned i = 0; i < 32; i++)
		wrong += *(volatile uint64_t *)(m.va + i * PAGE_SIZE) != 4;
	EXPECT_OR(out, !wrong, "%lu pages lost a store", wrong);
	/* An extent tree may take a block of its own. */
	EXPECT_OR(out, before - fx_free_blocks(&fx) - 32 <= 1, "%lu blocks for 32 pages",
		  before - fx_free_blocks(&fx));
out:
	fixture_end(&fx);
}

SELFTEST(dax_growing, "dax.growing-frees-nothing",
	 "a truncate to more keeps the blocks that were allocated ahead, held or not; one to the "
	 "same size gives those behind the end back")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	uint64_t before, grown, same;

	EXPECT_OR(out, f && !dax_fallocate(f, 0, 9 * PAGE_SIZE, true), "%s", refusal());
	before = fx_free_blocks(&fx);
	EXPECT_OR(close, !dax_truncate(f, 2 * PAGE_SIZE) && !dax_truncate(f, 4 * PAGE_SIZE + 7),
		  "%s", refusal());
	grown = fx_free_blocks(&fx);
	EXPECT_OR(close, !dax_truncate(f, 4 * PAGE_SIZE + 7), "%s", refusal());
	same = fx_free_blocks(&fx);
	EXPECT_OR(close, grown == before && same == before + 4, "%ld, then %ld blocks freed",
		  (long)(grown - before), (long)(same - before));
	EXPECT_OR(close, !check_all(), "an invariant is violated");
close:
	dax_put(f);
out:
	fixture_end(&fx);
}

static void fail_elsewhere(void *unused)
{
	struct dax_inode *inode;

	(void)unused;
	dax_open("/nowhere-else/f", false, &inode);
}

SELFTEST(dax_own_reason, "dax.reason-is-the-callers",
	 "threads of any number that are refused something leave a thread its own reason")
{
	struct dax_inode *inode;
	int err = dax_open("/nowhere/f", false, &inode);

	for (unsigned i = 0; i < 40; i++) {
		struct thread *th = thread_create("refused", fail_elsewhere, NULL, 0);

		EXPECT(th, "no memory for a thread");
		thread_join(th);
	}
	EXPECT(err && strstr(refusal(), "'/nowhere/f'"), "error %d, and the reason is '%s'", err,
	       refusal());
}
