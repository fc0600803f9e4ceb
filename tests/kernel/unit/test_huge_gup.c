/* SPDX-License-Identifier: MIT */
/* Self-tests: get_user_pages inside 2 MiB of a file, several mappings of it, unmapping (huge.*). */
#include "tests/kernel/lib/huge.h"

/* ---- get_user_pages ----------------------------------------------------------------------- */

SELFTEST(huge_gup, "huge.gup-inside",
	 "fast gup inside 2 MiB names each page, and takes all references on the head")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1);
	struct page *p[5], *head;
	long n;

	EXPECT_OR(out, va, "not mapped");
	head = va_to_head(va);
	n = get_user_pages_fast(PAGE(va, 200), 5, PIN | FOLL_FAST_ONLY, p);
	EXPECT_OR(out, n == 5, "%ld pages", n);
	EXPECT_OR(put, page_refs(head) == head->pgmap->rest + 5, "%u references", page_refs(head));
	for (unsigned i = 0; i < 5; i++)
		EXPECT_OR(put,
			  p[i] == head + 200 + i &&
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
	a = va_to_head(va);
	b = va_to_head(PAGE(va, N));
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
	EXPECT_OR(put, level_at(fx.va[0]) == 2 && p[2] == va_to_head(fx.va[0]) + 102, "level %u",
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
	head = va_to_head(va);
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
	head = va_to_head(va);
	n = get_user_pages_fast(PAGE(va, 50), 1, PIN | FOLL_LONGTERM, &p);
	EXPECT_OR(out, n == -EOPNOTSUPP && page_refs(head) == head->pgmap->rest,
		  "%ld, %u references", n, page_refs(head));
out:
	fixture_end(&fx);
}

SELFTEST(huge_put_variants, "huge.put-variants",
	 "each way to give back pages of 2 MiB ends at rest: single, bulk, unpin, range, mixed "
	 "order")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 2);
	struct page *p[8], *a, *b, *swap;
	unsigned way;

	EXPECT_OR(out, va, "not mapped");
	a = va_to_head(va);
	b = va_to_head(PAGE(va, N));
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

/* ---- mappings ----------------------------------------------------------------------------- */

SELFTEST(huge_unmap, "huge.unmap", "munmap of 2 MiB drops its one count, and nothing is reached")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 2), v;
	struct page *head;

	EXPECT_OR(out, va, "not mapped");
	head = va_to_head(PAGE(va, N));
	fx_unmap(&fx, va);
	EXPECT_OR(out, page_maps(head) == 0 && page_refs(head) == head->pgmap->rest,
		  "%u mapping(s)", page_maps(head));
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

/* Everything that asks whether an entry shows a copy. NULL: as it should be. */
static const char *ask_tail(struct fixture *fx, uint64_t va, uint64_t *copy)
{
	struct page *tail = va_to_head(va) + 400, *p = NULL;
	struct mm *child;

	if (mm_unmap(current_mm(), PAGE(va, 511), PAGE_SIZE) || at(PAGE(va, 400))[0] != 0 ||
	    level_at(PAGE(va, 400)) != 1 || page_record_exists(tail))
		return "page 400 is not shown by itself, or has a record";
	if (check_i3_entries())
		return "check finds another page";
	if (get_user_pages(current_mm(), PAGE(va, 400), 1, PIN, &p) != 1 || p != tail)
		return "not pinned, or another page";
	unpin_user_pages(&p, 1);
	if (dax_mmap_private(current_mm(), fx->inode[0], 0, N, true, copy) ||
	    at(PAGE(*copy, 400))[0] != 0)
		return "not mapped privately";
	child = mm_fork(current_mm(), "child");
	if (!child)
		return "no child";
	mm_put(child);
	at(PAGE(*copy, 400))[0] = 'x';
	return at(PAGE(va, 400))[0] != 0 ? "a private store is in the file" : NULL;
}

SELFTEST(huge_tail_record, "huge.tail-without-record",
	 "a page of 2 MiB that is shown by itself and has no record: check, a slow pin, fork and a "
	 "private store ask the head's")
{
	const char *wrong = "not mapped";
	uint64_t va, copy = 0;

	if (!scratch_region(&wrong))
		SKIP("%s", wrong);
	EXPECT(!scratch_forget_records(), "%s", refusal());
	FIXTURE(fx, LIFETIME_DEFAULT);
	va = map_huge(&fx, "f", 1);
	if (va && level_at(va) == 2)
		wrong = ask_tail(&fx, va, &copy);
	unmap(copy, N);
	unmap(va, N);
	fx.va[0] = 0;
	fixture_end(&fx);
	EXPECT(!wrong, "%s", wrong);
}

SELFTEST(huge_two, "huge.two-mappings", "two mappings of the same 2 MiB are two counts on the head")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), again;
	struct page *head;

	EXPECT_OR(out, va && (again = map_again(&fx, 0, N, 0)), "not mapped");
	at(PAGE(again, 8))[0] = 't';
	head = va_to_head(va);
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
	 "a mapping that is not aligned shows pages of a 2 MiB entry one by one, counted on its "
	 "head")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), odd;
	struct page *head, *p;
	uint32_t during;
	char seen_there;
	long n;

	EXPECT_OR(out, va && (odd = map_again(&fx, 0, N, 16 * GIB + PAGE_SIZE)), "not mapped");
	head = va_to_head(va);
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
		  refusal());
	fx.va[1] = va;
	tables = page_table_frames();
	at(va)[0] = 'h';
	EXPECT_OR(out, level_at(va) == 2 && page_table_frames() == tables - 1,
		  "level %u, %ld tables", level_at(va), (long)(tables - page_table_frames()));
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
	EXPECT_OR(out, page_maps(va_to_head(s.va)) == 1, "%u mappings",
		  page_maps(va_to_head(s.va)));
out:
	fixture_end(&fx);
}
