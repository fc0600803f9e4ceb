/* SPDX-License-Identifier: MIT */
/* Self-tests: holes of 2 MiB, shown by the shared 2 MiB of zeroes (huge.zeroes-*). */
#include "tests/kernel/lib/huge.h"

/* A sparse file of two times 2 MiB, mapped, and a byte of the first loaded. 0: failed. */
static uint64_t map_hole(struct fixture *fx)
{
	struct dax_inode *f = sparse("f", 2 * N);
	uint64_t va = f ? fx_map_as_is(fx, f, 2 * N, true) : 0;

	if (va)
		(void)*at(PAGE(va, 9));
	return va;
}

/* The entry that shows va, of any size. */
static uint64_t entry_at(uint64_t va)
{
	uint64_t *pte = pte_walk(current_mm()->root, va, level_at(va), false, NULL);

	return pte ? *pte : 0;
}

static bool shows_zeroes(uint64_t va)
{
	return level_at(va) == 2 && (entry_at(va) & PTE_SPECIAL) && !(entry_at(va) & PTE_W);
}

SELFTEST(huge_zeroes, "huge.zeroes-read",
	 "a load of a hole of 2 MiB maps one shared 2 MiB of zeroes: no block, no index entry, no "
	 "fallback")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t served = huge_count(HUGE_ZEROES), fell = fallbacks(), va = map_hole(&fx), before;

	EXPECT_OR(out, va, "not mapped");
	EXPECT_OR(out, shows_zeroes(va) && zero_bytes(2) == PMD_SIZE, "level %u, entry 0x%lx",
		  level_at(va), entry_at(va));
	EXPECT_OR(out, huge_count(HUGE_ZEROES) == served + 1 && fallbacks() == fell,
		  "%lu served, %lu fallbacks", huge_count(HUGE_ZEROES) - served,
		  fallbacks() - fell);
	before = fx_free_blocks(&fx);
	for (unsigned i = 0; i < N; i++)
		EXPECT_OR(out, !*(volatile uint64_t *)PAGE(va, i), "page %u is not zero", i);
	(void)*at(PAGE(va, N)); /* the next one: the same zeroes */
	EXPECT_OR(out, ((entry_at(va) ^ entry_at(PAGE(va, N))) & PTE_PHYS) == 0, "two pages");
	EXPECT_OR(out, fx_free_blocks(&fx) == before && fx.inode[0]->index.nr == 0,
		  "%lu blocks, %lu entries", before - fx_free_blocks(&fx), fx.inode[0]->index.nr);
out:
	fixture_end(&fx);
}

SELFTEST(huge_zeroes_store, "huge.zeroes-store",
	 "a store replaces the zeroes by 2 MiB of blocks, in the other mapping as well")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_hole(&fx), other;

	EXPECT_OR(out, va && (other = map_again(&fx, 0, N, 0)), "not mapped");
	EXPECT_OR(unmap_other, !*at(other) && shows_zeroes(other), "level %u", level_at(other));
	*at(PAGE(va, 3)) = 's';
	EXPECT_OR(unmap_other, level_at(va) == 2 && !(entry_at(va) & PTE_SPECIAL), "entry 0x%lx",
		  entry_at(va));
	EXPECT_OR(unmap_other, *at(PAGE(other, 3)) == 's' && !*at(PAGE(other, 4)),
		  "the other one reads 0x%x", *at(PAGE(other, 3)));
	EXPECT_OR(unmap_other, !check_all(), "an invariant is violated");
unmap_other:
	unmap(other, N);
out:
	fixture_end(&fx);
}

SELFTEST(huge_zeroes_odd, "huge.zeroes-single-store",
	 "a store of one page through a mapping that cannot be huge takes the 2 MiB of zeroes away")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_hole(&fx), odd;

	EXPECT_OR(out, va && (odd = map_again(&fx, 0, N, 16 * GIB + PAGE_SIZE)), "not mapped");
	*at(PAGE(odd, 5)) = 'o';
	EXPECT_OR(unmap_odd, level_at(va) == 0, "level %u", level_at(va));
	EXPECT_OR(unmap_odd, *at(PAGE(va, 5)) == 'o' && !*at(PAGE(va, 6)) && level_at(va) != 2,
		  "it reads 0x%x, level %u", *at(PAGE(va, 5)), level_at(va));
	*at(PAGE(va, 6)) = 'v'; /* the page of zeroes, now a single one, gives way too */
	EXPECT_OR(unmap_odd, *at(PAGE(odd, 6)) == 'v' && !check_all(), "it reads 0x%x",
		  *at(PAGE(odd, 6)));
unmap_odd:
	unmap(odd, N);
out:
	fixture_end(&fx);
}

SELFTEST(huge_zeroes_write, "huge.zeroes-write",
	 "write(2) into the hole shows at once where the 2 MiB of zeroes were mapped")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_hole(&fx);

	EXPECT_OR(out, va, "not mapped");
	EXPECT_OR(out, dax_write(fx.inode[0], 100 * PAGE_SIZE + 7, "w", 1) == 1, "%s", refusal());
	EXPECT_OR(out, *at(PAGE(va, 100) + 7) == 'w' && !*at(PAGE(va, 100)) && !*at(va),
		  "it reads 0x%x", *at(PAGE(va, 100) + 7));
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(huge_zeroes_truncate, "huge.zeroes-truncate",
	 "truncate takes the zeroes away beyond the new end; a larger file shows them again")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_hole(&fx), v;

	EXPECT_OR(out, va, "not mapped");
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 10 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, load_checked((uint64_t *)PAGE(va, 10), &v) == -EFAULT, "the end is mapped");
	EXPECT_OR(out,
		  !load_checked((uint64_t *)PAGE(va, 9), &v) && !v && level_at(PAGE(va, 9)) == 1,
		  "level %u", level_at(PAGE(va, 9)));
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 2 * PMD_SIZE), "%s", refusal());
	EXPECT_OR(out, !*at(PAGE(va, N)) && shows_zeroes(PAGE(va, N)), "level %u",
		  level_at(PAGE(va, N)));
	EXPECT_OR(out, !dax_punch(fx.inode[0], PMD_SIZE, PMD_SIZE) && level_at(PAGE(va, N)) == 0,
		  "a hole punched into a hole leaves it mapped");
out:
	fixture_end(&fx);
}

SELFTEST(
	huge_zeroes_unwritten, "huge.zeroes-unwritten",
	"blocks that were allocated and never written read as 2 MiB of zeroes, and are used by the "
	"store")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	uint64_t va, before;

	EXPECT_OR(out, f && !dax_fallocate(f, 0, PMD_SIZE, false), "%s", refusal());
	va = fx_map_as_is(&fx, f, N, true);
	before = fx_free_blocks(&fx);
	EXPECT_OR(out, !*at(va) && shows_zeroes(va), "level %u", level_at(va));
	*at(va) = 'u';
	EXPECT_OR(out, level_at(va) == 2 && *at(va) == 'u' && fx_free_blocks(&fx) == before,
		  "level %u, %lu blocks", level_at(va), before - fx_free_blocks(&fx));
out:
	fixture_end(&fx);
}

SELFTEST(huge_zeroes_gup, "huge.zeroes-gup",
	 "get_user_pages of the zeroes has a block made first, for reading as well; fast gup alone "
	 "gets none")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_hole(&fx);
	struct page *page = NULL;
	long fast;

	EXPECT_OR(out, va, "not mapped");
	fast = get_user_pages_fast(PAGE(va, 7), 1, FOLL_GET | FOLL_FAST_ONLY, &page);
	EXPECT_OR(out, fast == 0, "fast gup got %ld page(s) of zeroes", fast);
	EXPECT_OR(out, get_user_pages_fast(PAGE(va, 7), 1, FOLL_GET, &page) == 1, "no page");
	EXPECT_OR(put, !(entry_at(va) & PTE_SPECIAL) && page_to_record(page) == va_to_head(va),
		  "entry 0x%lx", entry_at(va));
put:
	put_user_page(page);
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(huge_zeroes_private, "huge.zeroes-private",
	 "a private mapping shows a hole by single pages, and its copies leave the hole as it is")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_hole(&fx), copy = 0;

	EXPECT_OR(out, va && !dax_mmap_private(current_mm(), fx.inode[0], 0, N, true, &copy), "%s",
		  refusal());
	EXPECT_OR(unmap_copy, !*at(PAGE(copy, 3)) && level_at(PAGE(copy, 3)) == 1, "level %u",
		  level_at(PAGE(copy, 3)));
	*at(PAGE(copy, 3)) = 'p';
	EXPECT_OR(unmap_copy, *at(PAGE(copy, 3)) == 'p' && !*at(PAGE(va, 3)) && shows_zeroes(va),
		  "the file reads 0x%x", *at(PAGE(va, 3)));
unmap_copy:
	unmap(copy, N);
out:
	fixture_end(&fx);
}

SELFTEST(
	huge_zeroes_fork, "huge.zeroes-fork",
	"parent and child of a fork show the same hole; a store by one replaces the zeroes of both")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct mm *parent = current_mm(), *child = NULL;
	uint64_t va = map_hole(&fx);
	bool zero = false, seen = false;

	EXPECT_OR(out, va && (child = mm_fork(parent, "child")), "not mapped, or no memory");
	mm_get(parent);
	mm_use(child);
	zero = !*at(va) && shows_zeroes(va);
	mm_use(parent);
	mm_put(parent);
	*at(PAGE(va, 1)) = 'k';
	mm_get(parent);
	mm_use(child);
	seen = *at(PAGE(va, 1)) == 'k' && !*at(va);
	mm_use(parent);
	mm_put(parent);
	EXPECT_OR(out, zero && seen, "the child: zeroes %d, the store %d", zero, seen);
out:
	if (child)
		mm_put(child);
	fixture_end(&fx);
}

SELFTEST(huge_zeroes_protect, "huge.zeroes-protect",
	 "cutting a mapping in the middle of the zeroes takes them away; the parts show single "
	 "pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_hole(&fx);

	EXPECT_OR(out, va && !mm_protect(current_mm(), PAGE(va, 7), PAGE_SIZE, VM_READ),
		  "not mapped, or not protected");
	EXPECT_OR(out, level_at(va) == 0 && !*at(PAGE(va, 7)) && level_at(PAGE(va, 7)) == 1,
		  "levels %u, %u", level_at(va), level_at(PAGE(va, 7)));
out:
	fixture_end(&fx);
}

SELFTEST(huge_zeroes_memory, "huge.zeroes-no-memory",
	 "without memory for an entry or a table on the way a load of a hole fails or falls back, "
	 "and loses nothing")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_hole(&fx);
	bool failed = true;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned n = 1; failed && n < 20; n++) {
		int err;

		mm_advise(current_mm(), va, 2 * PMD_SIZE, MM_DONT_NEED);
		alloc_fail_nth(n);
		err = mm_fault(current_mm(), PAGE(va, 1), false);
		alloc_fail_count(&failed);
		alloc_fail_nth(0);
		EXPECT_OR(out, err == 0 || err == -ENOMEM, "error %d: %s", err, refusal());
		EXPECT_OR(out, fx.inode[0]->index.nr == 0, "an entry was left behind");
	}
	EXPECT_OR(out, !*at(PAGE(va, 1)) && !check_all(), "not zero, or an invariant is violated");
out:
	fixture_end(&fx);
}
