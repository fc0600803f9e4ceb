/* SPDX-License-Identifier: MIT */
/*
 * Self-test: a part of 2 MiB of a file goes, and so does the entry (huge.punch-unmaps-neighbours).
 *
 * What stays of the 2 MiB has no entry until it is touched again, so nobody may map it meanwhile: a
 * later truncate would not find it (I3). A mapping that shows the 2 MiB as such loses them by
 * itself, as the hole takes the one word of the page table; one that begins a page further on shows
 * single pages, and keeps those that nobody unmaps.
 */
#include "tests/kernel/lib/huge.h"

/* Punches one page of 2 MiB that single pages show elsewhere; value: what is still mapped, or went
 * wrong. */
static const char *left_mapped(struct fixture *fx, uint64_t odd, uint64_t hole)
{
	(void)*at(PAGE(odd, 100));
	(void)*at(PAGE(odd, 400));
	if (dax_punch(fx->inode[0], hole * PAGE_SIZE, PAGE_SIZE))
		return refusal();
	if (level_at(PAGE(odd, 100)))
		return "page 100 is mapped, and the entry is gone";
	if (level_at(PAGE(odd, 400)))
		return "page 400 is mapped, and the entry is gone";
	return check_i3_entries() ? "an entry's pages are not those that are mapped" : NULL;
}

static void punch_unmaps(struct selftest_run *t, uint64_t hole, bool clean)
{
	FIXTURE(fx, &lifetime_unaware); /* unmaps no more than the range by itself */
	uint64_t va = map_huge(&fx, "f", 1), odd;
	const char *wrong;

	EXPECT_OR(out, va && (odd = map_again(&fx, 0, N, 16 * GIB + PAGE_SIZE)), "not mapped");
	EXPECT_OR(unmap_odd, !clean || !dax_fsync(fx.inode[0]), "%s", refusal());
	wrong = left_mapped(&fx, odd, hole);
	EXPECT_OR(unmap_odd, !wrong, "a hole at page %lu of a %s entry: %s", hole,
		  clean ? "clean" : "dirty", wrong);
unmap_odd:
	unmap(odd, N);
out:
	fixture_end(&fx);
}

SELFTEST(huge_punch_unmaps, "huge.punch-unmaps-neighbours",
	 "breaking a part of a 2 MiB entry, dirty or clean, unmaps all of it on both sides of the "
	 "hole, single pages elsewhere too (E-5)")
{
	const uint64_t hole[] = {0, 200, N - 1};

	for (unsigned i = 0; i < ARRAY_SIZE(hole); i++) {
		punch_unmaps(t, hole[i], false);
		punch_unmaps(t, hole[i], true);
	}
}
