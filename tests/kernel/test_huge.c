/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: files mapped by 2 MiB (huge.*): when it is done, what is counted where, what a part of
 * it going means. A file made here is sparse; the first store into each 2 MiB allocates all of it.
 */
#include "tests/kernel/fixture.h"

#define PIN	 (FOLL_PIN | FOLL_WRITE)
#define N	 FOLIO_PAGES
#define PAGE(va, n) ((va) + (uint64_t)(n) * PAGE_SIZE)

/* A sparse file of `pages`. NULL: failed. */
static struct dax_inode *sparse(const char *name, uint64_t pages)
{
	struct dax_inode *f = scratch_file(name, 0, 0);

	if (f && dax_truncate(f, pages * PAGE_SIZE)) {
		dax_put(f);
		f = NULL;
	}
	return f;
}

/* A file of `nr` times 2 MiB, mapped, the first byte of each stored to: 'a', 'b', … 0: failed. */
static uint64_t map_huge(struct fixture *fx, const char *name, unsigned nr)
{
	struct dax_inode *f = sparse(name, nr * N);
	uint64_t va = f ? fx_map_as_is(fx, f, nr * N, true) : 0;

	for (unsigned i = 0; va && i < nr; i++)
		*at(PAGE(va, i * N)) = (char)('a' + i);
	return va;
}

/* Another mapping of the fixture's first file, from its page `pgoff` on, at `va` (0: anywhere). */
static uint64_t map_again(struct fixture *fx, uint64_t pgoff, unsigned pages, uint64_t va)
{
	if (dax_mmap(current_mm(), fx->inode[0], pgoff, pages, true, &va))
		return 0;
	return va;
}

static void unmap(uint64_t va, unsigned pages)
{
	if (va)
		mm_unmap(current_mm(), va, pages * PAGE_SIZE);
}

/* The entry that shows va: 1 (4K), 2 (2M), 0: none. */
static unsigned level_at(uint64_t va)
{
	unsigned level;
	uint64_t *pte = pte_walk(current_mm()->root, va, 1, false, &level);

	if (!pte)
		pte = pte_walk(current_mm()->root, va, level, false, NULL);
	return pte && (*pte & PTE_P) ? level : 0;
}

/* The head's record of what is mapped by 2 MiB at va. */
static struct page *head_at(uint64_t va)
{
	uint64_t *pte = pte_walk(current_mm()->root, va, 2, false, NULL);

	return pte ? pfn_to_page((*pte & PTE_PHYS) >> PAGE_SHIFT) : NULL;
}

static uint64_t fallbacks(void)
{
	uint64_t n = 0;

	for (unsigned i = HUGE_INSTALLED + 1; i < HUGE_RESULTS; i++)
		n += huge_count(i);
	return n;
}

SELFTEST(huge_store, "huge.store-installs",
	 "a store into an aligned hole of 2 MiB is served by one 2 MiB mapping, without a fallback")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t installed = huge_count(HUGE_INSTALLED), fell = fallbacks(), va = map_huge(&fx, "f", 2);

	EXPECT_OR(out, va, "not mapped: %s", dax_why());
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

	EXPECT_OR(out, f && !dax_fallocate(f, 0, 4 * PMD_SIZE, false), "%s", dax_why());
	va = fx_map_as_is(&fx, f, 4 * N, true);
	for (unsigned i = 0; i < 4; i++)
		at(va)[i * PMD_SIZE + 5] = '1';
	EXPECT_OR(out, huge_count(HUGE_INSTALLED) - installed == 4 && fallbacks() == fell,
		  "%lu installed, %lu fallbacks", huge_count(HUGE_INSTALLED) - installed,
		  fallbacks() - fell);
out:
	fixture_end(&fx);
}

SELFTEST(huge_one_entry, "huge.one-entry", "512 pages have one index entry, found from each of them")
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
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1);
	struct page *head;

	EXPECT_OR(out, va, "not mapped");
	head = head_at(va);
	EXPECT_OR(out, page_maps(head) == 1 && page_refs(head) == head->pgmap->rest,
		  "%u mapping(s), %u references", page_maps(head), page_refs(head));
	EXPECT_OR(out, page_head(head + 300) == head, "a tail has another head");
	EXPECT_OR(out, !page_record_if_touched(page_to_pfn(head) + 300), "a tail has a record");
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
	EXPECT_OR(out, level_at(PAGE(va, N)) == 2 && level_at(va) == 0, "levels %u, %u", level_at(va),
		  level_at(PAGE(va, N)));
	head = head_at(PAGE(va, N));
	EXPECT_OR(out, (entry_next(f, &from, 2 * N) & ENTRY_PMD) && from == N, "entry at %lu", from);
	EXPECT_OR(out, head->index == N && page_head(head + 300) == head, "index %lu", head->index);
	EXPECT_OR(out, !check_i6_association() && !check_i3_entries(), "an invariant is violated");
out:
	fixture_end(&fx);
}

/* ---- why not ---------------------------------------------------------------------------------- */

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
	EXPECT_OR(out, before - fx_free_blocks(&fx) == 1, "%lu blocks", before - fx_free_blocks(&fx));
out:
	fixture_end(&fx);
}

SELFTEST(huge_hole, "huge.fallback-hole", "a load of a hole is served by a single page of zeroes")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", N);

	EXPECT_OR(out, f, "no file");
	fx_map_as_is(&fx, f, N, true);
	EXPECT_FALLBACK(out, PAGE(fx.va[0], 9), false, HUGE_HOLE);
	/* The store that follows is served by 2 MiB: the zeroes go, and their empty table with them. */
	at(fx.va[0])[7] = 's';
	EXPECT_OR(out, level_at(fx.va[0]) == 2 && at(fx.va[0])[0] == 0, "level %u",
		  level_at(fx.va[0]));
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

SELFTEST(huge_unaligned_extent, "huge.fallback-unaligned-extent",
	 "512 contiguous blocks that do not begin at a multiple of 2 MiB: single pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	/* Page 0 first, so that the blocks behind it follow it: page 512's block is one too far. */
	struct dax_inode *f = scratch_file("f", 2 * N + 1, 'u');
	struct ext4_map m;

	EXPECT_OR(out, f, "no file");
	fx_map_as_is(&fx, f, 2 * N, true);
	EXPECT_OR(out, !ext4_map_blocks(f->ip, N, N, 0, &m) && m.state == EXT4_WRITTEN, "no blocks");
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
	EXPECT_OR(out, !dax_punch(fx.inode[0], 0, PMD_SIZE) &&
			  !dax_fallocate(fx.inode[0], 0, PMD_SIZE, false), "%s", dax_why());
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
		  dax_why());
	EXPECT_FALLBACK(unmap_copy, PAGE(copy, 3), true, HUGE_PRIVATE);
	EXPECT_OR(unmap_copy, at(copy)[0] == 'a' && at(PAGE(va, 3))[0] == 0,
		  "the copy shows 0x%x, the file 0x%x", at(copy)[0], at(PAGE(va, 3))[0]);
unmap_copy:
	unmap(copy, N);
out:
	fixture_end(&fx);
}

/* ---- get_user_pages --------------------------------------------------------------------------- */

SELFTEST(huge_gup, "huge.gup-inside",
	 "fast gup inside 2 MiB names each page, and takes all references on the head")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1);
	struct page *p[5], *head;
	long n;

	EXPECT_OR(out, va, "not mapped");
	head = head_at(va);
	n = get_user_pages_fast(PAGE(va, 200), 5, PIN | FOLL_FAST_ONLY, p);
	EXPECT_OR(out, n == 5, "%ld pages", n);
	EXPECT_OR(put, page_refs(head) == head->pgmap->rest + 5, "%u references", page_refs(head));
	for (unsigned i = 0; i < 5; i++)
		EXPECT_OR(put, p[i] == head + 200 + i &&
				  page_to_pfn(p[i]) == page_to_pfn(head) + 200 + i,
			  "page %u is pfn 0x%lx", i, page_to_pfn(p[i]));
put:
	unpin_user_pages(p, 5);
	EXPECT_OR(out, page_refs(head) == head->pgmap->rest, "%u references left", page_refs(head));
out:
	fixture_end(&fx);
}

SELFTEST(huge_gup_across, "huge.gup-across", "fast gup goes on from one 2 MiB into the next")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 2);
	struct page *p[6], *a, *b;
	long n;

	EXPECT_OR(out, va, "not mapped");
	a = head_at(va);
	b = head_at(PAGE(va, N));
	n = get_user_pages_fast(PAGE(va, N - 2), 6, PIN | FOLL_FAST_ONLY, p);
	EXPECT_OR(out, n == 6, "%ld pages", n);
	EXPECT_OR(put, page_refs(a) == a->pgmap->rest + 2 && page_refs(b) == b->pgmap->rest + 4,
		  "%u and %u references", page_refs(a), page_refs(b));
	EXPECT_OR(put, p[1] == a + N - 1 && p[2] == b, "the pages are others");
put:
	unpin_user_pages(p, 6);
out:
	fixture_end(&fx);
}

SELFTEST(huge_gup_slow, "huge.gup-faults-in", "slow gup on an untouched file is served by 2 MiB")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", N);
	struct page *p[3];
	long n;

	EXPECT_OR(out, f, "no file");
	fx_map_as_is(&fx, f, N, true);
	n = get_user_pages(current_mm(), PAGE(fx.va[0], 100), 3, PIN, p);
	EXPECT_OR(out, n == 3, "%ld", n);
	EXPECT_OR(put, level_at(fx.va[0]) == 2 && p[2] == head_at(fx.va[0]) + 102, "level %u",
		  level_at(fx.va[0]));
put:
	unpin_user_pages(p, 3);
out:
	fixture_end(&fx);
}

struct clear {
	uint64_t *pte, old;
};

static void clear_entry(void *arg)
{
	struct clear *c = arg;

	c->old = __atomic_exchange_n(c->pte, 0, __ATOMIC_ACQ_REL);
}

SELFTEST(huge_gup_rechecks, "huge.gup-rechecks",
	 "fast gup gives its references back if the 2 MiB entry went before it had them (I5)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1);
	struct page *p[3], *head;
	struct clear c;
	unsigned fired;
	uint32_t refs;
	long n;

	EXPECT_OR(out, va, "not mapped");
	head = head_at(va);
	c.pte = pte_walk(current_mm()->root, va, 2, false, NULL);
	preempt_disable();
	step_arm("gup_fast_before_leaf_ref", clear_entry, &c);
	n = get_user_pages_fast(PAGE(va, 7), 3, PIN | FOLL_FAST_ONLY, p);
	fired = step_disarm();
	preempt_enable();
	refs = page_refs(head);
	if (fired)
		__atomic_store_n(c.pte, c.old, __ATOMIC_RELEASE);
	if (n > 0)
		unpin_user_pages(p, n);
	EXPECT_OR(out, fired == 1 && n == 0, "fired %u times, %ld pages", fired, n);
	EXPECT_OR(out, refs == head->pgmap->rest, "%u references left", refs);
out:
	fixture_end(&fx);
}

SELFTEST(huge_gup_upgrades, "huge.gup-upgrades",
	 "gup for writing does not pass a 2 MiB entry that a load made, and upgrades it")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), again;
	struct page *p;
	long fast, slow;

	EXPECT_OR(out, va && (again = map_again(&fx, 0, N, 0)), "not mapped");
	(void)*at(again);
	fast = get_user_pages_fast(again, 1, PIN | FOLL_FAST_ONLY, &p);
	slow = get_user_pages_fast(again, 1, PIN, &p);
	if (slow == 1)
		unpin_user_pages(&p, 1);
	EXPECT_OR(unmap_again, fast == 0 && slow == 1 && level_at(again) == 2,
		  "fast %ld, slow %ld, level %u", fast, slow, level_at(again));
unmap_again:
	unmap(again, N);
out:
	fixture_end(&fx);
}

SELFTEST(huge_longterm, "huge.longterm-refused", "a long-term pin inside a file's 2 MiB is refused")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1);
	struct page *p, *head;
	long n;

	EXPECT_OR(out, va, "not mapped");
	head = head_at(va);
	n = get_user_pages_fast(PAGE(va, 50), 1, PIN | FOLL_LONGTERM, &p);
	EXPECT_OR(out, n == -EOPNOTSUPP && page_refs(head) == head->pgmap->rest, "%ld, %u references",
		  n, page_refs(head));
out:
	fixture_end(&fx);
}

SELFTEST(huge_put_variants, "huge.put-variants",
	 "each way to give back pages of 2 MiB ends at rest: single, bulk, unpin, range, mixed order")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 2);
	struct page *p[8], *a, *b, *swap;
	unsigned way;

	EXPECT_OR(out, va, "not mapped");
	a = head_at(va);
	b = head_at(PAGE(va, N));
	for (way = 0; way < 5; way++) {
		EXPECT_OR(out, get_user_pages_fast(PAGE(va, N - 4), 8, PIN, p) == 8, "no pages");
		swap = p[2];
		if (way == 0) {
			for (unsigned i = 0; i < 8; i++)
				put_user_page(p[i]);
		} else if (way == 1) {
			put_user_pages(p, 8);
		} else if (way == 2) {
			unpin_user_pages(p, 8);
		} else if (way == 3) {
			put_user_page_range(p[0], 4);
			put_user_page_range(p[4], 4);
		} else {
			p[2] = p[6];
			p[6] = swap;
			put_user_pages(p, 8);
		}
		EXPECT_OR(out, page_refs(a) == a->pgmap->rest && page_refs(b) == b->pgmap->rest,
			  "way %u leaves %u and %u references", way, page_refs(a), page_refs(b));
	}
out:
	fixture_end(&fx);
}

/* ---- a part of it goes ------------------------------------------------------------------------ */

/* Writes its own number into every page of the 2 MiB at va. */
static void number_pages(uint64_t va)
{
	for (unsigned i = 0; i < N; i++)
		*(volatile uint64_t *)PAGE(va, i) = i + 1;
}

/* Pages of [first, last) that show another number. */
static unsigned wrong_numbers(uint64_t va, unsigned first, unsigned last)
{
	unsigned wrong = 0;

	for (unsigned i = first; i < last; i++)
		wrong += *(volatile uint64_t *)PAGE(va, i) != i + 1;
	return wrong;
}

SELFTEST(huge_truncate, "huge.truncate-through",
	 "truncate through the middle of 2 MiB cuts there; what is before is faulted in again, unharmed")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), v;

	EXPECT_OR(out, va, "not mapped");
	number_pages(va);
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 100 * PAGE_SIZE), "%s", dax_why());
	EXPECT_OR(out, level_at(va) == 0 && fx.inode[0]->index.nr == 0, "level %u, %lu entries",
		  level_at(va), fx.inode[0]->index.nr);
	EXPECT_OR(out, wrong_numbers(va, 0, 100) == 0, "%u pages lost", wrong_numbers(va, 0, 100));
	EXPECT_OR(out, load_checked((uint64_t *)PAGE(va, 100), &v) == -EFAULT, "the rest is there");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(huge_punch, "huge.punch-through",
	 "a hole in the middle of 2 MiB reads as zero, its neighbours keep their bytes")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), before;

	EXPECT_OR(out, va, "not mapped");
	number_pages(va);
	before = fx_free_blocks(&fx);
	EXPECT_OR(out, !dax_punch(fx.inode[0], 200 * PAGE_SIZE, 8 * PAGE_SIZE), "%s", dax_why());
	EXPECT_OR(out, fx_free_blocks(&fx) - before == 8, "%lu blocks freed",
		  fx_free_blocks(&fx) - before);
	EXPECT_OR(out, !wrong_numbers(va, 0, 200) && !wrong_numbers(va, 208, N), "neighbours lost");
	EXPECT_OR(out, *(volatile uint64_t *)PAGE(va, 203) == 0, "the hole is not zero");
	EXPECT_OR(out, level_at(va) == 1 && !check_all(), "level %u, or an invariant is violated",
		  level_at(va));
out:
	fixture_end(&fx);
}

SELFTEST(huge_punch_unmaps, "huge.punch-unmaps-neighbours",
	 "breaking a part of a 2 MiB entry unmaps all of it, single pages elsewhere too (E-5)")
{
	FIXTURE(fx, &lifetime_unaware); /* unmaps no more than the range by itself */
	uint64_t va = map_huge(&fx, "f", 1), odd;
	unsigned far;

	EXPECT_OR(out, va && (odd = map_again(&fx, 0, N, 16 * GIB + PAGE_SIZE)), "not mapped");
	(void)*at(PAGE(odd, 400));
	EXPECT_OR(unmap_odd, !dax_punch(fx.inode[0], 0, PAGE_SIZE), "%s", dax_why());
	far = level_at(PAGE(odd, 400));
	EXPECT_OR(unmap_odd, far == 0 && !check_i3_entries(), "page 400 is mapped (level %u), and the "
		  "entry is gone", far);
unmap_odd:
	unmap(odd, N);
out:
	fixture_end(&fx);
}

/* Write-backs inside one range, seen from below. */
static struct seen {
	const struct persist_observer *before;
	const char *from;
	uint64_t bytes, in_range, len;
} seen;

static void see(const void *p, size_t n)
{
	if ((const char *)p - seen.from < (int64_t)seen.len && (const char *)p >= seen.from)
		seen.in_range += n;
	if (seen.before && seen.before->wrote_back)
		seen.before->wrote_back(p, n);
}

static void see_fence(void)
{
	if (seen.before && seen.before->fenced)
		seen.before->fenced();
}

static void watch(const struct page *first, uint64_t pages)
{
	static const struct persist_observer o = {see, see_fence};

	seen = (struct seen){.before = persist_get_observer(),
			     .from = phys_to_virt(page_to_pfn(first) << PAGE_SHIFT),
			     .len = pages << PAGE_SHIFT};
	persist_set_observer(&o);
}

static uint64_t watched(void)
{
	persist_set_observer(seen.before);
	return seen.in_range;
}

SELFTEST(huge_punch_flushes, "huge.punch-writes-neighbours-back",
	 "what a broken 2 MiB entry had dirty outside the hole is written back before its mark goes (I7)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), bytes;
	int err;

	EXPECT_OR(out, va, "not mapped");
	number_pages(va);
	watch(head_at(va) + 210, N - 210);
	err = dax_punch(fx.inode[0], 200 * PAGE_SIZE, 10 * PAGE_SIZE);
	bytes = watched();
	EXPECT_OR(out, !err && bytes == (N - 210) * PAGE_SIZE, "error %d, %lu bytes behind the hole",
		  err, bytes);
out:
	fixture_end(&fx);
}

SELFTEST(huge_fsync, "huge.fsync",
	 "fsync of a dirty 2 MiB entry writes all of it back once, and again only after a store")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), bytes[3];

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 3; i++) {
		watch(head_at(va), N);
		dax_fsync(fx.inode[0]);
		bytes[i] = watched();
		if (i == 1)
			at(PAGE(va, 17))[0] = 's';
	}
	EXPECT_OR(out, bytes[0] == PMD_SIZE && bytes[1] == 0 && bytes[2] == PMD_SIZE,
		  "%lu, %lu, %lu bytes", bytes[0], bytes[1], bytes[2]);
	EXPECT_OR(out, level_at(va) == 2, "level %u", level_at(va));
out:
	fixture_end(&fx);
}

SELFTEST(huge_deleted, "huge.deleted-is-split",
	 "a deleted 2 MiB entry leaves records that count one page each, and they are used so (E-6)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1);
	struct page *head, *p;

	EXPECT_OR(out, va, "not mapped");
	head = head_at(va);
	EXPECT_OR(out, !dax_punch(fx.inode[0], 0, PAGE_SIZE), "%s", dax_why());
	EXPECT_OR(out, page_state(head) == head->pgmap->rest && !head->mapping, "state 0x%lx",
		  page_state(head));
	at(PAGE(va, 9))[0] = 'p';
	p = fx_page(PAGE(va, 9));
	EXPECT_OR(out, p == head + 9 && page_head(p) == p && page_maps(p) == 1 && !page_maps(head),
		  "page 9 has %u mapping(s), the head %u", p ? page_maps(p) : 0, page_maps(head));
	EXPECT_OR(out, p->index == 9, "index %lu", p->index);
out:
	fixture_end(&fx);
}

SELFTEST(huge_waits, "huge.truncate-waits-for-tail",
	 "truncate of one page waits for who holds another page of the 2 MiB, until its last put")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = map_huge(&fx, "f", 1);
	struct fx_op op = {.fn = fx_truncate, .arg = 0};
	bool asleep, early;
	struct page *p;

	EXPECT_OR(out, va && get_user_pages_fast(PAGE(va, 333), 1, PIN, &p) == 1, "no page");
	op.inode = fx.inode[0];
	EXPECT_OR(put, fx_start(&op), "no memory");
	asleep = fx_asleep(&op, page_head(p));
	early = fx_done(&op);
	unpin_user_pages(&p, 1);
	fx_join(&op);
	EXPECT_OR(out, asleep && !early && !op.err, "asleep %d, done early %d, error %d", asleep, early,
		  op.err);
	EXPECT_OR(out, fx.inode[0]->collisions == 0, "%u collisions", fx.inode[0]->collisions);
	goto out;
put:
	unpin_user_pages(&p, 1);
out:
	fixture_end(&fx);
}

SELFTEST(huge_dma, "huge.dma-into-tail",
	 "a device writes into a tail page while truncate waits; its bytes reach no other file (I1)")
{
	struct fx_op op = {.fn = fx_truncate, .arg = 0};
	struct dax_inode *g = NULL;
	struct dma_job *job;
	unsigned foreign = 0;
	struct page *p;
	uint64_t va, gva;
	int err;

	if (!edu_count())
		SKIP("no edu device (QEMU: -device edu)");
	FIXTURE(fx, &lifetime_idle_at_one);
	va = map_huge(&fx, "f", 1);
	EXPECT_OR(out, va && get_user_pages_fast(PAGE(va, 77), 1, PIN, &p) == 1, "no page");
	job = dma_start(edu_nth(0), &p, 1, DMA_IN, "from the device ", 1, &err);
	EXPECT_OR(out, job, "error %d", err);
	op.inode = fx.inode[0];
	EXPECT_OR(out, fx_start(&op), "no memory");
	fx_join(&op);
	EXPECT_OR(wait, dma_done(job), "truncate was done before the device");
	/* Whoever gets the blocks next sees zeroes and its own bytes. */
	g = sparse("g", N);
	EXPECT_OR(wait, g, "no second file");
	gva = fx_map_as_is(&fx, g, N, true);
	at(gva)[0] = 'g';
	for (unsigned i = 1; i < N; i++)
		foreign += at(PAGE(gva, i))[0] != 0;
	EXPECT_OR(wait, level_at(gva) == 2 && !foreign, "level %u, %u foreign pages", level_at(gva),
		  foreign);
wait:
	dma_wait(job);
	dma_free(job);
out:
	fixture_end(&fx);
}

SELFTEST(huge_held_on, "huge.held-after-deletion",
	 "who holds a page of 2 MiB that was freed under it (unaware) gives it back to the same record")
{
	FIXTURE(fx, &lifetime_unaware);
	uint64_t va = map_huge(&fx, "f", 1), gva, held = huge_count(HUGE_HELD);
	struct dax_inode *g = sparse("g", 8 * N);
	struct page *p[2], *head;

	EXPECT_OR(out, va && get_user_pages_fast(PAGE(va, 400), 2, PIN, p) == 2, "no pages");
	head = head_at(va);
	EXPECT_OR(put, g && !dax_truncate(fx.inode[0], 0), "%s", dax_why());
	gva = fx_map_as_is(&fx, g, 8 * N, true);
	for (unsigned i = 0; i < 8; i++) /* more than there is: the freed blocks are among them */
		store_checked((uint64_t *)PAGE(gva, i * N + 3), 1);
	EXPECT_OR(put, huge_count(HUGE_HELD) == held + 1, "nobody noticed the holder");
	EXPECT_OR(put, page_refs(head) == head->pgmap->rest + 2, "%u references", page_refs(head));
	unpin_user_pages(p, 2);
	EXPECT_OR(out, page_refs(head) == head->pgmap->rest, "%u references left", page_refs(head));
	fx_unmap(&fx, gva);
	EXPECT_OR(out, page_maps(head) == 0, "%u mapping(s) left", page_maps(head));
	goto out;
put:
	unpin_user_pages(p, 2);
out:
	fixture_end(&fx);
}

/* ---- mappings --------------------------------------------------------------------------------- */

SELFTEST(huge_unmap, "huge.unmap", "munmap of 2 MiB drops its one count, and nothing is reached")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 2), v;
	struct page *head;

	EXPECT_OR(out, va, "not mapped");
	head = head_at(PAGE(va, N));
	fx_unmap(&fx, va);
	EXPECT_OR(out, page_maps(head) == 0 && page_refs(head) == head->pgmap->rest, "%u mapping(s)",
		  page_maps(head));
	EXPECT_OR(out, load_checked((uint64_t *)PAGE(va, N + 30), &v) == -EFAULT, "still reached");
out:
	fixture_end(&fx);
}

SELFTEST(huge_unmap_part, "huge.unmap-part",
	 "munmap of a part of 2 MiB takes the whole entry; the rest is faulted in by single pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), v;

	EXPECT_OR(out, va, "not mapped");
	number_pages(va);
	EXPECT_OR(out, !mm_unmap(current_mm(), PAGE(va, 100), 8 * PAGE_SIZE), "not unmapped");
	EXPECT_OR(out, !wrong_numbers(va, 0, 100) && !wrong_numbers(va, 108, N), "pages lost");
	EXPECT_OR(out, load_checked((uint64_t *)PAGE(va, 104), &v) == -EFAULT, "the part is there");
	EXPECT_OR(out, level_at(va) == 1 && !check_i3_entries(), "level %u", level_at(va));
	mm_unmap(current_mm(), va, PMD_SIZE);
	fx.va[0] = 0;
out:
	fixture_end(&fx);
}

SELFTEST(huge_two, "huge.two-mappings", "two mappings of the same 2 MiB are two counts on the head")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), again;
	struct page *head;

	EXPECT_OR(out, va && (again = map_again(&fx, 0, N, 0)), "not mapped");
	at(PAGE(again, 8))[0] = 't';
	head = head_at(va);
	EXPECT_OR(unmap_again, page_maps(head) == 2 && at(PAGE(va, 8))[0] == 't', "%u mapping(s)",
		  page_maps(head));
	unmap(again, N);
	EXPECT_OR(out, page_maps(head) == 1, "%u after unmapping one", page_maps(head));
	goto out;
unmap_again:
	unmap(again, N);
out:
	fixture_end(&fx);
}

SELFTEST(huge_odd, "huge.single-page-of-huge-entry",
	 "a mapping that is not aligned shows pages of a 2 MiB entry one by one, counted on its head")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), odd;
	struct page *head, *p;
	uint32_t during;
	char seen_there;
	long n;

	EXPECT_OR(out, va && (odd = map_again(&fx, 0, N, 16 * GIB + PAGE_SIZE)), "not mapped");
	head = head_at(va);
	at(PAGE(va, 11))[0] = 'k';
	seen_there = at(PAGE(odd, 11))[0];
	during = page_maps(head);
	n = get_user_pages_fast(PAGE(odd, 11), 1, FOLL_PIN, &p);
	if (n == 1)
		unpin_user_pages(&p, 1);
	unmap(odd, N);
	EXPECT_OR(out, seen_there == 'k' && during == 2, "0x%x, %u mappings", seen_there, during);
	EXPECT_OR(out, n == 1 && p == head + 11, "gup: %ld", n);
	EXPECT_OR(out, page_maps(head) == 1 && fx.inode[0]->index.nr == 1, "%u mapping(s) left",
		  page_maps(head));
out:
	fixture_end(&fx);
}

SELFTEST(huge_table_goes, "huge.empty-table-goes",
	 "where single pages were mapped before, 2 MiB take the place of their empty table")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = 16 * GIB, tables;

	EXPECT_OR(out, fx_map(&fx, "small", 1, 's'), "not mapped");
	fx_unmap(&fx, fx.va[0]);
	EXPECT_OR(out, map_again(&fx, 0, 1, va), "not mapped at 16 GiB");
	(void)*at(va);
	unmap(va, 1);
	fx.inode[1] = sparse("f", N);
	fx.pages[1] = N;
	fx.nr = 2;
	EXPECT_OR(out, fx.inode[1] && !dax_mmap(current_mm(), fx.inode[1], 0, N, true, &va), "%s",
		  dax_why());
	fx.va[1] = va;
	tables = page_table_frames();
	at(va)[0] = 'h';
	EXPECT_OR(out, level_at(va) == 2 && page_table_frames() == tables - 1, "level %u, %ld tables",
		  level_at(va), (long)(tables - page_table_frames()));
out:
	fixture_end(&fx);
}

struct shared_range {
	struct mm *mm;
	uint64_t va;
};

static void touch_all(void *arg)
{
	struct shared_range *s = arg;

	mm_use(s->mm);
	for (unsigned i = 0; i < 64; i++)
		__atomic_fetch_add((uint64_t *)PAGE(s->va, i * 16), 1, __ATOMIC_RELAXED);
	mm_use(NULL);
}

SELFTEST(huge_concurrent, "huge.concurrent-faults",
	 "four threads that fault the same two 2 MiB at once make two entries, and lose no store")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", 2 * N);
	struct shared_range s = {.mm = current_mm()};
	struct thread *th[4] = {0};
	unsigned wrong = 0;

	EXPECT_OR(out, f, "no file");
	s.va = fx_map_as_is(&fx, f, 2 * N, true);
	for (unsigned i = 0; i < 4; i++)
		th[i] = thread_create("toucher", touch_all, &s, 0);
	for (unsigned i = 0; i < 4; i++)
		if (th[i])
			thread_join(th[i]);
	for (unsigned i = 0; i < 64; i++)
		wrong += *(volatile uint64_t *)PAGE(s.va, i * 16) != 4;
	EXPECT_OR(out, !wrong && f->index.nr == 2, "%u pages lost a store, %lu entries", wrong,
		  f->index.nr);
	EXPECT_OR(out, page_maps(head_at(s.va)) == 1, "%u mappings", page_maps(head_at(s.va)));
out:
	fixture_end(&fx);
}
