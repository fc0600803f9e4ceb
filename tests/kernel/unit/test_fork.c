/* SPDX-License-Identifier: MIT */
/* Self-tests: which pages a fork shares: those of tables far from the others, and each once. */
#include "tests/kernel/lib/fixture.h"

/* What a thread of the address space reads at va; ~0: nothing is there. */
static uint64_t read_in(struct mm *mm, uint64_t va)
{
	struct mm *self = current_mm();
	uint64_t v = ~0ull;

	mm_get(self); /* else leaving it for a moment could be its end */
	mm_use(mm);
	if (load_checked((uint64_t *)va, &v))
		v = ~0ull;
	mm_use(self);
	mm_put(self);
	return v;
}

SELFTEST(fork_far, "fork.behind-untouched",
	 "memory behind 2 MiB that nobody has touched is the child's as well")
{
	struct mm *mm = current_mm(), *child;
	uint64_t a = 0, last, seen;

	EXPECT(!mm_map_anon(mm, &a, 4 * PMD_SIZE, true), "no room");
	last = a + 4 * PMD_SIZE - PAGE_SIZE;
	*(volatile uint64_t *)last = 'f';
	child = mm_fork(mm, "child");
	EXPECT(child, "no memory");
	*(volatile uint64_t *)last = 'p';
	seen = read_in(child, last);
	mm_put(child);
	mm_unmap(mm, a, 4 * PMD_SIZE);
	EXPECT(seen == 'f', "the child sees %lu", seen);
}

SELFTEST(fork_neighbours, "fork.neighbours",
	 "of two mappings side by side each page is shared once, and goes with the last of the two")
{
	struct mm *mm = current_mm(), *child;
	const int64_t before = anon_pages();
	uint64_t a = 0, seen;
	uint32_t maps;
	int err;

	EXPECT(!mm_map_anon(mm, &a, 2 * PAGE_SIZE, true), "no room");
	*at(a) = 'a';
	*at(a + PAGE_SIZE) = 'b';
	err = mm_protect(mm, a + PAGE_SIZE, PAGE_SIZE, VM_READ); /* one of its own now */
	child = mm_fork(mm, "child");
	EXPECT(child && !err, "no memory, or error %d", err);
	maps = page_maps(fx_va_to_page(a + PAGE_SIZE));
	seen = read_in(child, a + PAGE_SIZE);
	mm_put(child);
	mm_unmap(mm, a, 2 * PAGE_SIZE);
	EXPECT(maps == 2 && (seen & 0xff) == 'b', "%u mappings, the child sees 0x%lx", maps, seen);
	EXPECT(anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
}
