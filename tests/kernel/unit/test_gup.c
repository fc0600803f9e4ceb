/* SPDX-License-Identifier: MIT */
/* Self-tests: get_user_pages and its ways back (gup.*). */
#include "tests/kernel/lib/fixture.h"

#define PIN (FOLL_PIN | FOLL_WRITE)

SELFTEST(gup_fast_gets, "gup.fast-gets",
	 "the fast path alone takes mapped pages, one reference each: four at once, and a single "
	 "one")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 4, 'a');
	struct page *p[4], *one;
	long n;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 4; i++)
		at(va)[i * PAGE_SIZE] = 'b';
	n = get_user_pages_fast(va, 4, PIN | FOLL_FAST_ONLY, p);
	EXPECT_OR(out, n == 4, "%ld pages", n);
	for (unsigned i = 0; i < 4; i++)
		EXPECT_OR(put,
			  p[i] == fx_va_to_page(va + i * PAGE_SIZE) &&
				  page_refs(p[i]) == p[i]->pgmap->rest + 1,
			  "page %u: %u references", i, page_refs(p[i]));
	n = get_user_pages_fast(va, 1, PIN | FOLL_FAST_ONLY, &one);
	EXPECT_OR(put, n == 1 && one == p[0], "%ld pages for a single one", n);
	n = page_refs(one) - one->pgmap->rest;
	unpin_user_pages(&one, 1);
	EXPECT_OR(put, n == 2, "%ld references of a page that was taken twice", n);
put:
	unpin_user_pages(p, 4);
out:
	fixture_end(&fx);
}

struct clear {
	uint64_t *pte, old;
};

/* Another CPU's unmap, at the worst moment. */
static void clear_entry(void *arg)
{
	struct clear *c = arg;

	c->old = __atomic_exchange_n(c->pte, 0, __ATOMIC_ACQ_REL);
}

SELFTEST(gup_fast_rechecks, "gup.fast-rechecks",
	 "fast gup gives a page back whose entry went between reading it and holding the page (I5)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct page *p, *page;
	struct clear c;
	unsigned fired;
	uint32_t refs;
	long n;
	int err;

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = 'b';
	page = fx_va_to_page(va);
	c.pte = pte_walk(current_mm()->root, va, 1, false, NULL);
	preempt_disable();
	err = step_arm("gup_fast_before_ref", clear_entry, &c);
	n = get_user_pages_fast(va, 1, PIN | FOLL_FAST_ONLY, &p);
	fired = step_disarm();
	preempt_enable();
	refs = page_refs(page);
	if (fired)
		__atomic_store_n(c.pte, c.old, __ATOMIC_RELEASE);
	if (n == 1)
		unpin_user_pages(&p, 1);
	EXPECT_OR(out, !err && fired == 1, "the step point: error %d, fired %u times", err, fired);
	EXPECT_OR(out, n == 0, "a page was taken through an entry that had gone");
	EXPECT_OR(out, refs == page->pgmap->rest, "%u references are left", refs);
out:
	fixture_end(&fx);
}

/* Takes nr pages from va on while the entry of page `gone` is cleared behind the first look; value:
 * how many, *refs what page `gone` was left with. */
static long get_while_cleared(uint64_t va, unsigned nr, unsigned gone, uint32_t *refs)
{
	struct page *p[32], *page = fx_va_to_page(va + gone * PAGE_SIZE);
	struct clear c = {pte_walk(current_mm()->root, va + gone * PAGE_SIZE, 1, false, NULL), 0};
	unsigned fired;
	long n;

	preempt_disable();
	step_arm("gup_fast_before_ref", clear_entry, &c);
	n = get_user_pages_fast(va, nr, PIN | FOLL_FAST_ONLY, p);
	fired = step_disarm();
	preempt_enable();
	*refs = page_refs(page) - page->pgmap->rest;
	if (fired)
		__atomic_store_n(c.pte, c.old, __ATOMIC_RELEASE);
	if (n > 0)
		unpin_user_pages(p, n);
	return fired ? n : -EIO;
}

SELFTEST(gup_runs_recheck, "gup.runs-recheck",
	 "each page of a run, and of a few pages, is looked at again once it is held (I5)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 32, 'a');
	uint32_t refs[3] = {0};
	long n[3] = {0};

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 32; i++)
		at(va)[i * PAGE_SIZE] = 'b';
	n[0] = get_while_cleared(va, 32, 7, &refs[0]);
	n[1] = get_while_cleared(va, 32, 14, &refs[1]);
	n[2] = get_while_cleared(va, 5, 0, &refs[2]);
	EXPECT_OR(out, n[0] == 7 && n[1] == 14 && n[2] == 0, "%ld, %ld and %ld pages", n[0], n[1],
		  n[2]);
	EXPECT_OR(out, !refs[0] && !refs[1] && !refs[2], "%u, %u and %u references are left",
		  refs[0], refs[1], refs[2]);
out:
	fixture_end(&fx);
}

/* How often page i of a run is held already: alike at first, then none as its neighbour. */
static unsigned held_before(unsigned i)
{
	return i < 20 ? i == 9 : i % 2 + (i == 35);
}

SELFTEST(gup_runs_mixed, "gup.runs-mixed",
	 "neighbours that are held by different numbers are each taken and given back once")
{
	enum { NR = 64 };
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", NR, 'a');
	struct page *p[NR], *first;
	unsigned wrong = 0, left = 0;
	uint32_t rest;
	long n;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < NR; i++)
		at(va)[i * PAGE_SIZE] = 'b';
	first = fx_va_to_page(va);
	rest = first->pgmap->rest;
	for (unsigned i = 0; i < NR; i++)
		page_get(first + i, held_before(i) + 1); /* one more, for the last look */
	n = get_user_pages_fast(va, NR, PIN | FOLL_FAST_ONLY, p);
	for (unsigned i = 0; i < NR && n == NR; i++)
		wrong += p[i] != first + i || page_refs(p[i]) != rest + held_before(i) + 2;
	if (n > 0)
		unpin_user_pages(p, n);
	for (unsigned i = 0; i < NR; i++) {
		left += page_refs(first + i) != rest + held_before(i) + 1;
		page_put(first + i, held_before(i) + 1);
	}
	EXPECT_OR(out, n == NR && !wrong && !left, "%ld pages, %u wrong; %u wrong once back", n,
		  wrong, left);
out:
	fixture_end(&fx);
}

SELFTEST(gup_one_rechecks, "gup.one-rechecks",
	 "a page that only the way of single entries takes is looked at again once it is held (I5)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct page *p, *page;
	struct clear c = {0};
	unsigned fired;
	uint32_t refs;
	long n;

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = 'b';
	page = fx_va_to_page(va);
	c.pte = pte_walk(current_mm()->root, va, 1, false, NULL);
	/* What the quick ways leave to it: a record that says folio. */
	__atomic_fetch_or(&page->state, PAGE_FOLIO, __ATOMIC_ACQ_REL);
	preempt_disable();
	step_arm("gup_one_before_ref", clear_entry, &c);
	n = get_user_pages_fast(va, 1, PIN | FOLL_FAST_ONLY, &p);
	fired = step_disarm();
	preempt_enable();
	refs = page_refs(page) - page->pgmap->rest;
	__atomic_fetch_and(&page->state, ~PAGE_FOLIO, __ATOMIC_ACQ_REL);
	if (fired)
		__atomic_store_n(c.pte, c.old, __ATOMIC_RELEASE);
	if (n == 1)
		unpin_user_pages(&p, 1);
	EXPECT_OR(out, fired == 1, "the step point fired %u times", fired);
	EXPECT_OR(out, n == 0 && !refs,
		  "%ld page(s) through an entry that had gone, %u reference(s)", n, refs);
out:
	fixture_end(&fx);
}

SELFTEST(gup_one_takes, "gup.one-takes",
	 "the way of single entries takes a page: one of them, one reference")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct page *p = NULL, *page;
	uint32_t refs;
	long n;

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = 'b';
	page = fx_va_to_page(va);
	__atomic_fetch_or(&page->state, PAGE_FOLIO, __ATOMIC_ACQ_REL);
	n = get_user_pages_fast(va, 1, PIN | FOLL_FAST_ONLY, &p);
	refs = page_refs(page) - page->pgmap->rest;
	__atomic_fetch_and(&page->state, ~PAGE_FOLIO, __ATOMIC_ACQ_REL);
	if (n == 1)
		unpin_user_pages(&p, 1);
	EXPECT_OR(out, n == 1 && p == page && refs == 1, "%ld page(s), %u reference(s)", n, refs);
out:
	fixture_end(&fx);
}

SELFTEST(gup_slow_faults, "gup.slow-faults-in",
	 "pages that were never touched are faulted in and taken")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 3, 'a');
	struct page *p[3];
	long fast, n;

	EXPECT_OR(out, va, "not mapped");
	fast = get_user_pages_fast(va, 3, PIN | FOLL_FAST_ONLY, p);
	n = get_user_pages_fast(va, 3, PIN, p);
	if (n > 0)
		unpin_user_pages(p, n);
	EXPECT_OR(out, fast == 0 && n == 3, "fast only %ld, both %ld", fast, n);
	EXPECT_OR(out, page_refs(p[2]) == p[2]->pgmap->rest, "%u references left", page_refs(p[2]));
out:
	fixture_end(&fx);
}

SELFTEST(gup_upgrades, "gup.upgrades", "gup for writing upgrades an entry that a read made")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct page *p;
	char c;
	long n;

	EXPECT_OR(out, va, "not mapped");
	c = at(va)[0];
	n = get_user_pages_fast(va, 1, PIN | FOLL_FAST_ONLY, &p);
	EXPECT_OR(out, c == 'a' && n == 0, "a read-only entry let a writer through (%ld)", n);
	n = get_user_pages_fast(va, 1, PIN, &p);
	EXPECT_OR(out, n == 1, "%ld", n);
	unpin_user_pages(&p, 1);
out:
	fixture_end(&fx);
}

SELFTEST(gup_needs_right, "gup.needs-right", "gup for writing is refused on a read-only mapping")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	struct page *p;
	uint64_t va;
	long w, r;

	EXPECT_OR(out, f, "no file");
	va = fx_map_as_is(&fx, f, 1, false);
	w = get_user_pages_fast(va, 1, PIN, &p);
	r = get_user_pages_fast(va, 1, FOLL_PIN, &p);
	if (r == 1)
		unpin_user_pages(&p, 1);
	EXPECT_OR(out, w == -EFAULT && r == 1, "to write: %ld, to read: %ld", w, r);
out:
	fixture_end(&fx);
}

SELFTEST(gup_short_count, "gup.short-count",
	 "at the end of the file the count is short, not an error")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 2, 'a');
	struct page *p[4];
	uint64_t va;
	long n, beyond;

	EXPECT_OR(out, f, "no file");
	va = fx_map_as_is(&fx, f, 4, true);
	n = get_user_pages_fast(va, 4, PIN, p);
	if (n > 0)
		unpin_user_pages(p, n);
	beyond = get_user_pages_fast(va + 2 * PAGE_SIZE, 1, PIN, p);
	EXPECT_OR(out, n == 2 && beyond == -EFAULT, "%ld pages, beyond the end %ld", n, beyond);
out:
	fixture_end(&fx);
}

SELFTEST(gup_bad_arguments, "gup.bad-arguments",
	 "flags and addresses that make no sense are refused")
{
	struct mm *mm = current_mm();
	struct page *p;

	EXPECT(get_user_pages(mm, 4096, 0, FOLL_GET, &p) == -EINVAL, "no pages");
	EXPECT(get_user_pages(mm, 4097, 1, FOLL_GET, &p) == -EINVAL, "unaligned");
	EXPECT(get_user_pages(mm, 4096, 1, 0, &p) == -EINVAL, "neither get nor pin");
	EXPECT(get_user_pages(mm, 4096, 1, FOLL_GET | FOLL_PIN, &p) == -EINVAL, "get and pin");
	EXPECT(get_user_pages(mm, 4096, 1, FOLL_GET | FOLL_LONGTERM, &p) == -EINVAL,
	       "a long-term get");
	EXPECT(get_user_pages(mm, 4096, 1, FOLL_GET | 1u << 20, &p) == -EINVAL, "unknown flag");
	EXPECT(get_user_pages(mm, DIRECT_BASE, 1, FOLL_GET, &p) == -EINVAL, "a kernel address");
	EXPECT(get_user_pages(mm, USER_END - PAGE_SIZE, 2, FOLL_GET, &p) == -EINVAL,
	       "across the end");
	EXPECT(get_user_pages(mm, 4096, 1, FOLL_GET, &p) == -EFAULT, "nothing is mapped there");
}

SELFTEST(gup_longterm_refused, "gup.longterm-refused",
	 "a long-term pin of a file's page is refused, and no reference is left")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct page *p;
	long n;

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = 'b';
	n = get_user_pages_fast(va, 1, PIN | FOLL_LONGTERM, &p);
	EXPECT_OR(out, n == -EOPNOTSUPP, "%ld", n);
	EXPECT_OR(out, page_refs(fx_va_to_page(va)) == fx_va_to_page(va)->pgmap->rest,
		  "%u references", page_refs(fx_va_to_page(va)));
out:
	fixture_end(&fx);
}

SELFTEST(gup_hole, "gup.hole-gets-a-block",
	 "gup on a hole shown as zeroes gets a real block, even to read")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	struct page *p;
	uint64_t va;
	char c;
	long n;

	EXPECT_OR(out, f && !dax_truncate(f, PAGE_SIZE), "no sparse file");
	va = fx_map_as_is(&fx, f, 1, true);
	c = at(va)[0];
	n = get_user_pages_fast(va, 1, FOLL_PIN, &p);
	EXPECT_OR(out, c == 0 && n == 1, "byte 0x%x, %ld pages", c, n);
	EXPECT_OR(put, p == fx_va_to_page(va), "the page is not the one mapped");
put:
	unpin_user_pages(&p, 1);
out:
	fixture_end(&fx);
}

SELFTEST(gup_put_variants, "gup.put-variants",
	 "every way to give a reference back ends at the resting count: single, bulk, unpin")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'a');
	struct page *p[2];
	uint32_t after[3] = {0};

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = at(va)[PAGE_SIZE] = 'b';
	for (unsigned way = 0; way < 3; way++) {
		unsigned kind = way == 2 ? FOLL_PIN : FOLL_GET;

		EXPECT_OR(out, get_user_pages_fast(va, 2, kind | FOLL_WRITE, p) == 2, "no pages");
		if (way == 0) {
			put_user_page(p[0]);
			put_user_page(p[1]);
		} else if (way == 1) {
			put_user_pages(p, 2);
		} else {
			unpin_user_pages(p, 2);
		}
		after[way] = page_refs(p[0]) + page_refs(p[1]);
	}
	for (unsigned way = 0; way < 3; way++)
		EXPECT_OR(out, after[way] == 2 * p[0]->pgmap->rest, "way %u leaves %u references",
			  way, after[way]);
out:
	fixture_end(&fx);
}

SELFTEST(gup_holders_named, "gup.holders-named",
	 "who holds a page is said by name, and only while it does")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct page *p;
	struct holder h = {.what = "the self-test", .pages = &p, .nr = 1};
	char during[120], after[120];

	EXPECT_OR(out, va && get_user_pages_fast(va, 1, PIN, &p) == 1, "no page");
	holder_add(&h);
	holders_describe(p, during, sizeof(during));
	holder_remove(&h);
	unpin_user_pages(&p, 1);
	holders_describe(p, after, sizeof(after));
	EXPECT_OR(out, strstr(during, "the self-test") && !strstr(after, "the self-test"),
		  "during: %s; after: %s", during, after);
out:
	fixture_end(&fx);
}
