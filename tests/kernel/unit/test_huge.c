/* SPDX-License-Identifier: MIT */
/* Self-tests: files mapped by 2 MiB (huge.*): when it is done, and the reason when it is not. */
#include "dax/layer/internal.h"
#include "tests/kernel/lib/huge.h"

SELFTEST(huge_store, "huge.store-installs",
	 "a store into an aligned hole of 2 MiB is served by one 2 MiB mapping, without a fallback")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t installed = huge_count(HUGE_INSTALLED), fell = fallbacks(),
		 va = map_huge(&fx, "f", 2);

	EXPECT_OR(out, va, "not mapped: %s", refusal());
	EXPECT_OR(out, level_at(va) == 2 && level_at(PAGE(va, N)) == 2, "levels %u and %u",
		  level_at(va), level_at(PAGE(va, N)));
	EXPECT_OR(out, huge_count(HUGE_INSTALLED) - installed == 2 && fallbacks() == fell,
		  "%lu installed, %lu fallbacks", huge_count(HUGE_INSTALLED) - installed,
		  fallbacks() - fell);
out:
	fixture_end(&fx);
}

SELFTEST(huge_read, "huge.read-installs", "a load of 2 MiB that were written is served by 2 MiB")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), again;

	EXPECT_OR(out, va, "not mapped");
	at(va)[PAGE_SIZE * 77] = 'x';
	again = map_again(&fx, 0, N, 0);
	EXPECT_OR(out, again && at(again)[PAGE_SIZE * 77] == 'x' && level_at(again) == 2,
		  "byte 0x%x at level %u", again ? at(again)[PAGE_SIZE * 77] : 0, level_at(again));
	unmap(again, N);
out:
	fixture_end(&fx);
}

SELFTEST(huge_ten, "huge.all-installed",
	 "fallocate and first stores: every 2 MiB of the file is installed, no fallback (dax-pmd)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	uint64_t installed = huge_count(HUGE_INSTALLED), fell = fallbacks(), va;

	EXPECT_OR(out, f && !dax_fallocate(f, 0, 4 * PMD_SIZE, false), "%s", refusal());
	va = fx_map_as_is(&fx, f, 4 * N, true);
	for (unsigned i = 0; i < 4; i++)
		at(va)[i * PMD_SIZE + 5] = '1';
	EXPECT_OR(out, huge_count(HUGE_INSTALLED) - installed == 4 && fallbacks() == fell,
		  "%lu installed, %lu fallbacks", huge_count(HUGE_INSTALLED) - installed,
		  fallbacks() - fell);
out:
	fixture_end(&fx);
}

SELFTEST(huge_one_entry, "huge.one-entry",
	 "512 pages have one index entry, found from each of them")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), from = 411, entry;

	EXPECT_OR(out, va, "not mapped");
	entry = entry_next(fx.inode[0], &from, 412);
	EXPECT_OR(out, fx.inode[0]->index.nr == 1, "%lu entries", fx.inode[0]->index.nr);
	EXPECT_OR(out, (entry & ENTRY_PMD) && from == 0, "entry 0x%lx at page %lu", entry, from);
out:
	fixture_end(&fx);
}

SELFTEST(huge_one_record, "huge.counts-on-head-only",
	 "one mapping of 2 MiB is one count on the head; the other records are not even made")
{
	struct page *head;
	uint64_t va;

	scratch_forget_records(); /* of other tests; without a region the fixture skips */
	FIXTURE(fx, LIFETIME_DEFAULT);
	va = map_huge(&fx, "f", 1);
	EXPECT_OR(out, va, "not mapped");
	head = va_to_head(va);
	EXPECT_OR(out, page_maps(head) == 1 && page_refs(head) == head->pgmap->rest,
		  "%u mapping(s), %u references", page_maps(head), page_refs(head));
	EXPECT_OR(out, page_to_record(head + 300) == head, "a tail has another head");
	EXPECT_OR(out, !page_record_exists(head + 300), "a tail has a record");
out:
	fixture_end(&fx);
}

SELFTEST(huge_middle, "huge.fault-in-the-middle",
	 "a first fault in the middle of the second 2 MiB makes the entry at its beginning (D-2)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", 2 * N);
	uint64_t va, from = N;
	struct page *head;

	EXPECT_OR(out, f, "no file");
	va = fx_map_as_is(&fx, f, 2 * N, true);
	at(PAGE(va, N + 300))[0] = 'm';
	EXPECT_OR(out, level_at(PAGE(va, N)) == 2 && level_at(va) == 0, "levels %u, %u",
		  level_at(va), level_at(PAGE(va, N)));
	head = va_to_head(PAGE(va, N));
	EXPECT_OR(out, (entry_next(f, &from, 2 * N) & ENTRY_PMD) && from == N, "entry at %lu",
		  from);
	EXPECT_OR(out, head->index == N && page_to_record(head + 300) == head, "index %lu",
		  head->index);
	EXPECT_OR(out, !check_i6_association() && !check_i3_entries(), "an invariant is violated");
out:
	fixture_end(&fx);
}

/* ---- why not ------------------------------------------------------------------------------ */

/* Loads or stores at va and tells whether it was served by a single page, for this reason alone. */
#define EXPECT_FALLBACK(label, va, store, reason)                                                  \
	do {                                                                                       \
		uint64_t before_ = huge_count(reason), all_ = fallbacks();                         \
		volatile char *p_ = at(va);                                                        \
		if (store)                                                                         \
			*p_ = 'f';                                                                 \
		else                                                                               \
			(void)*p_;                                                                 \
		EXPECT_OR(label, level_at(va) == 1, "level %u", level_at(va));                     \
		EXPECT_OR(label, huge_count(reason) == before_ + 1 && fallbacks() == all_ + 1,     \
			  "%lu for this reason, %lu in all", huge_count(reason) - before_,         \
			  fallbacks() - all_);                                                     \
	} while (0)

SELFTEST(huge_length, "huge.fallback-length",
	 "a mapping one page short of 2 MiB is served by single pages, and says so")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", N);

	EXPECT_OR(out, f, "no file");
	fx_map_as_is(&fx, f, 1, true);
	fx_unmap(&fx, fx.va[0]);
	fx.va[0] = map_again(&fx, 0, N - 1, 16 * GIB);
	fx.pages[0] = N - 1;
	EXPECT_FALLBACK(out, fx.va[0], true, HUGE_LENGTH);
out:
	fixture_end(&fx);
}

SELFTEST(huge_alignment, "huge.fallback-alignment",
	 "a mapping whose addresses are one page off modulo 2 MiB is served by single pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", 2 * N);

	EXPECT_OR(out, f, "no file");
	fx.inode[fx.nr] = f;
	fx.pages[fx.nr++] = 2 * N;
	fx.va[0] = map_again(&fx, 0, 2 * N, 16 * GIB + PAGE_SIZE);
	EXPECT_FALLBACK(out, PAGE(fx.va[0], N), true, HUGE_ALIGNMENT);
out:
	fixture_end(&fx);
}

SELFTEST(huge_file_end, "huge.fallback-file-end",
	 "a file that ends inside the 2 MiB is served by single pages, and takes single blocks")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", N - 1);
	uint64_t before;

	EXPECT_OR(out, f, "no file");
	fx_map_as_is(&fx, f, N, true);
	before = fx_free_blocks(&fx);
	EXPECT_FALLBACK(out, fx.va[0], true, HUGE_FILE_END);
	EXPECT_OR(out, before - fx_free_blocks(&fx) == 1, "%lu blocks",
		  before - fx_free_blocks(&fx));
out:
	fixture_end(&fx);
}

SELFTEST(huge_start, "huge.fallback-start",
	 "in a region that does not begin at a multiple of 2 MiB single pages serve")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), again, before;

	EXPECT_OR(out, va, "not mapped");
	again = map_again(&fx, 0, N, 0);
	before = huge_count(HUGE_START);
	/* No DIMM begins there. The entry is present, so only the question sees it. */
	fx.fs->region->start += PAGE_SIZE;
	(void)*at(PAGE(again, 3));
	fx.fs->region->start -= PAGE_SIZE;
	EXPECT_OR(unmap_again,
		  level_at(PAGE(again, 3)) == 1 && huge_count(HUGE_START) == before + 1,
		  "level %u, %lu for this reason", level_at(PAGE(again, 3)),
		  huge_count(HUGE_START) - before);
unmap_again:
	unmap(again, N);
out:
	fixture_end(&fx);
}

SELFTEST(huge_short_extent, "huge.fallback-short-extent",
	 "2 MiB of which one page was written before are not contiguous: single pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", N);

	EXPECT_OR(out, f && dax_write(f, 5 * PAGE_SIZE, "x", 1) == 1, "no file");
	fx_map_as_is(&fx, f, N, true);
	EXPECT_FALLBACK(out, fx.va[0], true, HUGE_EXTENT);
	EXPECT_OR(out, at(PAGE(fx.va[0], 5))[0] == 'x', "the page written before is lost");
out:
	fixture_end(&fx);
}

SELFTEST(huge_part_hole, "huge.fallback-part-hole",
	 "a load of a hole beside which one page of the 2 MiB was written shows single zeroes, and "
	 "not over that page")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", N);

	EXPECT_OR(out, f && dax_write(f, 5 * PAGE_SIZE, "x", 1) == 1, "no file");
	fx_map_as_is(&fx, f, N, true);
	EXPECT_FALLBACK(out, fx.va[0], false, HUGE_EXTENT);
	EXPECT_OR(out, at(PAGE(fx.va[0], 5))[0] == 'x', "the page written before reads 0x%x",
		  at(PAGE(fx.va[0], 5))[0]);
out:
	fixture_end(&fx);
}

SELFTEST(huge_unaligned_extent, "huge.fallback-unaligned-extent",
	 "512 contiguous blocks that do not begin at a multiple of 2 MiB: single pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	/* Page 0 first, so that the blocks behind it follow it: page 512's block is one too far. */
	struct dax_inode *f = scratch_file("f", 2 * N + 1, 'u');
	struct ext4_map m;

	EXPECT_OR(out, f, "no file");
	fx_map_as_is(&fx, f, 2 * N, true);
	EXPECT_OR(out, !ext4_map_blocks(ext4_inode_of(f), N, N, 0, &m) && m.state == EXT4_WRITTEN,
		  "no blocks");
	if (m.count == N && m.pblk % N == 0) {
		fixture_end(&fx);
		SKIP("the allocator happened to align these blocks");
	}
	EXPECT_FALLBACK(out, PAGE(fx.va[0], N + 3), false, HUGE_EXTENT);
	EXPECT_OR(out, at(PAGE(fx.va[0], N + 3))[0] == 'u', "other bytes");
out:
	fixture_end(&fx);
}

SELFTEST(huge_entries, "huge.fallback-entries",
	 "2 MiB of which a single page has an entry are served by single pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), odd;

	EXPECT_OR(out, va, "not mapped");
	/* The blocks are aligned; now only a mapping that cannot be huge has touched them. */
	fx_unmap(&fx, va);
	EXPECT_OR(out,
		  !dax_punch(fx.inode[0], 0, PMD_SIZE) &&
			  !dax_fallocate(fx.inode[0], 0, PMD_SIZE, false),
		  "%s", refusal());
	odd = map_again(&fx, 0, N, 16 * GIB + PAGE_SIZE);
	at(PAGE(odd, 3))[0] = 'o';
	fx.va[0] = map_again(&fx, 0, N, 0);
	EXPECT_FALLBACK(unmap_odd, PAGE(fx.va[0], 4), true, HUGE_ENTRIES);
unmap_odd:
	unmap(odd, N);
out:
	fixture_end(&fx);
}

SELFTEST(huge_private, "huge.fallback-private", "a private mapping is served by single pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), copy = 0;

	EXPECT_OR(out, va && !dax_mmap_private(current_mm(), fx.inode[0], 0, N, true, &copy), "%s",
		  refusal());
	EXPECT_FALLBACK(unmap_copy, PAGE(copy, 3), true, HUGE_PRIVATE);
	EXPECT_OR(unmap_copy, at(copy)[0] == 'a' && at(PAGE(va, 3))[0] == 0,
		  "the copy shows 0x%x, the file 0x%x", at(copy)[0], at(PAGE(va, 3))[0]);
unmap_copy:
	unmap(copy, N);
out:
	fixture_end(&fx);
}
