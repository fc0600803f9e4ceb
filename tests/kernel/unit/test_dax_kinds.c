/* SPDX-License-Identifier: MIT */
/* Self-tests: what is behind a mapping, as the predicates of mm/space/space.h tell it (dax.*). */
#include "tests/kernel/lib/kinds.h"

#define LONGTERM (FOLL_PIN | FOLL_WRITE | FOLL_LONGTERM)

static struct kind_object o; /* one test at a time */

/* The table that stands in space.h, a column each. */
static const unsigned expected[KINDS] = {
	[KIND_FSDAX] = SAYS_S_DAX | SAYS_IS_FSDAX | SAYS_VMA_IS_DAX | SAYS_VMA_IS_FSDAX,
	[KIND_DEVDAX] = SAYS_S_DAX | SAYS_IS_DEVDAX | SAYS_VMA_IS_DAX,
	[KIND_FILE] = 0,
	[KIND_CHAR] = 0,
	[KIND_ANON] = 0,
};

SELFTEST(dax_kinds, "dax.kinds",
	 "IS_FSDAX, IS_DEVDAX, vma_is_dax and vma_is_fsdax tell a file on DAX, a device-dax, a "
	 "plain file, a plain device and anonymous memory apart")
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		const char *why = kind_start(&o, kind);
		unsigned says = why ? 0 : kind_says(o.va, BUILD_BOTH), wrong;

		kind_end(&o);
		if (why)
			SKIP("%s: %s", kind_name[kind], why);
		wrong = says ^ expected[kind];
		EXPECT(!wrong, "%s of %s is %u", says_name[__builtin_ctz(wrong)], kind_name[kind],
		       says >> __builtin_ctz(wrong) & 1);
	}
}

/* 1: pinned and let go, with every count at rest; else what gup said. */
static long pin_for_long(uint64_t va, bool fast)
{
	struct page *p;
	long n = fast ? get_user_pages_fast(va, 1, LONGTERM, &p)
		      : get_user_pages(current_mm(), va, 1, LONGTERM, &p);

	if (n == 1)
		unpin_user_pages(&p, 1);
	return n;
}

/* The record that counts for the page at va, at rest again; NULL: it has none. */
static struct page *record_at(uint64_t va)
{
	struct page *p, *record = NULL;

	if (get_user_pages_fast(va, 1, FOLL_PIN, &p) == 1) {
		record = page_to_record(p);
		unpin_user_pages(&p, 1);
	}
	return record;
}

SELFTEST(dax_longterm_kinds, "dax.longterm-by-kind",
	 "a long-term pin is refused on a file on DAX, and nowhere else for being long: counts are "
	 "as before")
{
	static const long want[KINDS] = {-EOPNOTSUPP, 1, 1, -EFAULT /* no record */, 1};

	for (unsigned kind = 0; kind < KINDS; kind++) {
		const char *why = kind_start(&o, kind);
		struct page *record = NULL;
		uint64_t before = 0, after = 0;
		long slow = 0, fast = 0;

		if (!why) {
			*at(o.va) = 'x';
			record = record_at(o.va);
			before = record ? page_state(record) : 0;
			slow = pin_for_long(o.va, false);
			fast = pin_for_long(o.va, true);
			after = record ? page_state(record) : 0;
		}
		kind_end(&o);
		if (why)
			SKIP("%s: %s", kind_name[kind], why);
		EXPECT(slow == want[kind] && fast == want[kind], "%s: slow %ld, fast %ld",
		       kind_name[kind], slow, fast);
		EXPECT(before == after, "%s: state 0x%lx, then 0x%lx", kind_name[kind], before,
		       after);
	}
}

static struct vma_shown shown_at(uint64_t va)
{
	struct mm *mm = current_mm();
	struct vma_shown s;

	down_read(&mm->mmap_lock);
	s = vma_shown(mm_find_vma(mm, va));
	up_read(&mm->mmap_lock);
	return s;
}

static bool shows(uint64_t va, uint64_t small, uint64_t large, uint64_t ram, uint64_t other)
{
	const struct vma_shown s = shown_at(va);

	return s.device[1] == small && s.device[2] == large && !s.device[3] && s.ram == ram &&
	       s.other == other;
}

SELFTEST(dax_smaps, "dax.smaps",
	 "what a mapping shows is counted: nothing before the first access, a device's pages by "
	 "their size, RAM for copies and anonymous memory")
{
	static const uint64_t want[KINDS][4] = {[KIND_FSDAX] = {PAGE_SIZE},
						[KIND_DEVDAX] = {0, PMD_SIZE},
						[KIND_FILE] = {0, 0, PAGE_SIZE},
						[KIND_CHAR] = {0, 0, 0, PAGE_SIZE},
						[KIND_ANON] = {0, 0, PAGE_SIZE}};

	for (unsigned kind = 0; kind < KINDS; kind++) {
		const char *why = kind_start(&o, kind);
		bool before = false, after = false;
		const uint64_t *w = want[kind];

		if (!why) {
			before = shows(o.va, 0, 0, 0, 0);
			*at(o.va) = 'x';
			after = shows(o.va, w[0], w[1], w[2], w[3]);
		}
		kind_end(&o);
		if (why)
			SKIP("%s: %s", kind_name[kind], why);
		EXPECT(before && after, "%s: before %d, after %d", kind_name[kind], before, after);
	}
}

SELFTEST(dax_smaps_copy, "dax.smaps-copy",
	 "of a private mapping of a file the pages that were only read count as the device's, and "
	 "those that were stored to as RAM")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'a');
	uint64_t copy = va ? fx_map_private(&fx, fx.inode[0], 2) : 0;

	if (fx.nr == 2)
		dax_get(fx.inode[1]); /* both are closed at the end */
	EXPECT_OR(out, copy, "not mapped: %s", refusal());
	(void)*at(copy);
	EXPECT_OR(out, shows(copy, PAGE_SIZE, 0, 0, 0), "a page that was read");
	*at(copy + PAGE_SIZE) = 'b';
	EXPECT_OR(out, shows(copy, PAGE_SIZE, 0, PAGE_SIZE, 0), "a page that was stored to");
out:
	fixture_end(&fx);
}

/* Not by the way of a file, which unmaps its zeroes before it has a block: there is none here. */
SELFTEST(dax_zeroes_give_way, "dax.zeroes-give-way",
	 "a page that takes the place of zeroes is what the next load reads, though it was read as "
	 "zero before")
{
	const char *why = kind_start(&o, KIND_CHAR);
	uint64_t before = 1, after = 0;
	int err = 0;

	if (!why) {
		struct vm_fault vmf = {.vma = mm_find_vma(current_mm(), o.va), .address = o.va};

		memset(phys_to_virt(o.frame), 'x', PAGE_SIZE);
		err = vmf_insert_zero(&vmf) ?: load_checked((uint64_t *)o.va, &before);
		err = err ?: vmf_insert_special(&vmf, o.frame >> PAGE_SHIFT, false);
		err = err ?: load_checked((uint64_t *)o.va, &after);
	}
	kind_end(&o);
	if (why)
		SKIP("%s", why);
	EXPECT(!err && !before, "error %d, first 0x%lx", err, before);
	EXPECT(after == 0x7878787878787878ul, "the zeroes are still read: 0x%lx", after);
}
