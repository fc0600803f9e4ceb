/* SPDX-License-Identifier: MIT */
/* Self-tests: what mm_populate() faults in, by which access, and where it ends (space.populate-*).
 */
#include "dax/file/internal.h"
#include "mm/tables/internal.h"
#include "tests/kernel/lib/huge.h"

/* Pages of [va, va + pages) that an entry of any size shows; *writable: how many of them so. */
static unsigned present(uint64_t va, unsigned pages, unsigned *writable)
{
	unsigned n = 0, level;

	*writable = 0;
	for (unsigned i = 0; i < pages; i++) {
		uint64_t pte = *pte_lowest(current_mm()->root, PAGE(va, i), &level);

		n += (pte & PTE_P) != 0;
		*writable += (pte & (PTE_P | PTE_W)) == (PTE_P | PTE_W);
	}
	return n;
}

/* Entries of the file that are dirty. */
static unsigned dirty(struct dax_inode *f)
{
	uint64_t at = 0, entry;
	unsigned n = 0;

	for (; (entry = entry_next(f, &at, DAX_TO_END)); at += entry_pages(entry))
		n += (entry & ENTRY_DIRTY) != 0;
	return n;
}

SELFTEST(populate_shared, "space.populate-shared",
	 "a shared mapping is populated by loads: every page present, none dirty, holes as zeroes; "
	 "those that were there stay as they were")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 70, 'a');
	unsigned there, writable;
	int err;

	EXPECT_OR(out, va && !dax_punch(fx.inode[0], 9 * PAGE_SIZE, PAGE_SIZE), "no file");
	dax_fsync(fx.inode[0]);
	mm_advise(current_mm(), va, 70 * PAGE_SIZE, MM_DONT_NEED);
	at(va)[3 * PAGE_SIZE] = 's';
	err = mm_populate(current_mm(), PAGE(va, 1), 69 * PAGE_SIZE);
	there = present(va, 70, &writable);
	EXPECT_OR(out, !err && there == 69 && writable == 1, "error %d, %u there, %u writable", err,
		  there, writable);
	EXPECT_OR(out, dirty(fx.inode[0]) == 1, "%u entries are dirty", dirty(fx.inode[0]));
	EXPECT_OR(out, at(va)[9 * PAGE_SIZE] == 0 && at(va)[69 * PAGE_SIZE] == 'a', "other bytes");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(populate_private, "space.populate-private",
	 "private writable memory is populated by stores: each page is a copy, or fresh zeroes; "
	 "private memory that is only read shows the file")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 3, 'a');
	const int64_t before = anon_pages();
	uint64_t va, anon = 0, ro = 0;
	int64_t copies, kept;
	unsigned writable = 0;
	int err;

	EXPECT_OR(out, f, "no file");
	va = fx_map_private(&fx, f, 3);
	(void)at(va)[PAGE_SIZE]; /* shown already, and not writable */
	err = mm_populate(current_mm(), va, 3 * PAGE_SIZE);
	copies = anon_pages() - before;
	EXPECT_OR(out, !err && copies == 3 && present(va, 3, &writable) == 3 && writable == 3,
		  "error %d, %ld copies, %u writable", err, (long)copies, writable);
	err = mm_map_anon(current_mm(), &anon, 2 * PAGE_SIZE, true);
	if (!err)
		err = mm_populate(current_mm(), anon, 2 * PAGE_SIZE);
	copies = anon_pages() - before;
	unmap(anon, 2);
	if (!err)
		err = dax_mmap_private(current_mm(), f, 0, 3, false, &ro);
	if (!err)
		err = mm_populate(current_mm(), ro, 3 * PAGE_SIZE);
	kept = anon_pages() - before;
	unmap(ro, 3);
	EXPECT_OR(out, !err && copies == 5 && kept == 3, "error %d, %ld pages, then %ld", err,
		  (long)copies, (long)kept);
out:
	fixture_end(&fx);
}

static uint64_t dax_faults(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HUGE_RESULTS; i++)
		sum += huge_count(i);
	return sum;
}

SELFTEST(populate_huge, "space.populate-huge",
	 "what one entry of 2 MiB serves is faulted once, and not at all if it is there")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "h", 2), again = 0, first, second;
	int err;

	EXPECT_OR(out, va && level_at(va) == 2, "not mapped by 2 MiB");
	again = map_again(&fx, 0, 2 * N, 0);
	first = dax_faults();
	err = mm_populate(current_mm(), again, 2 * PMD_SIZE);
	first = dax_faults() - first;
	second = dax_faults();
	if (!err)
		err = mm_populate(current_mm(), PAGE(again, 7), PMD_SIZE);
	second = dax_faults() - second;
	EXPECT_OR(out, !err && first == 2 && second == 0 && level_at(again) == 2,
		  "error %d, %lu faults, then %lu", err, first, second);
out:
	unmap(again, 2 * N);
	fixture_end(&fx);
}

SELFTEST(populate_ends, "space.populate-ends",
	 "populating ends at a gap, at the end of the file and at a signal, each by its own error; "
	 "what lies before stays")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 4, 'a');
	struct mm *mm = current_mm();
	int gap, behind, signal, odd;
	unsigned writable, there;

	EXPECT_OR(out, va, "no file");
	mm_advise(mm, va, 4 * PAGE_SIZE, MM_DONT_NEED);
	thread_signal(current_thread());
	signal = mm_populate(mm, va, 4 * PAGE_SIZE);
	signal_clear();
	odd = mm_populate(mm, va + 1, PAGE_SIZE);
	there = present(va, 4, &writable);
	EXPECT_OR(out, signal == -EINTR && odd == -EINVAL && !there, "%d, %d, %u there", signal,
		  odd, there);
	gap = mm_populate(mm, va, 8 * PAGE_SIZE);
	there = present(va, 4, &writable);
	EXPECT_OR(out, gap == -ENOMEM && there == 4, "a gap: %d, %u there", gap, there);
	dax_truncate(fx.inode[0], 2 * PAGE_SIZE);
	behind = mm_populate(mm, va, 4 * PAGE_SIZE);
	there = present(va, 4, &writable);
	EXPECT_OR(out, behind == -EFAULT && there == 2, "the end: %d, %u there", behind, there);
out:
	fixture_end(&fx);
}
