/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: fast gup finds its entry changed, once it holds the page (gup.*).
 *
 * What changed need not be the page: an entry that was write-protected meanwhile, by fsync or fork,
 * shows the same page and may not be written through any more. And what goes back goes to the
 * record it was taken from, although by then the page may be part of a folio, whose head counts.
 */
#include "mm/page/internal.h"
#include "tests/kernel/lib/fixture.h"

/* What another CPU does behind the first look. */
struct meanwhile {
	uint64_t *pte, old;
	uint64_t cleared, set; /* bits of the entry */
	struct page *head;     /* becomes a folio's; NULL: none does */
	uint64_t state;	       /* of the head, as it was */
};

static void do_meanwhile(void *arg)
{
	struct meanwhile *m = arg;

	m->old = *m->pte;
	__atomic_store_n(m->pte, (m->old & ~m->cleared) | m->set, __ATOMIC_RELEASE);
	if (!m->head)
		return;
	m->state = page_state(m->head);
	__atomic_store_n(&m->head->state, PAGE_FOLIO | (m->head->pgmap->rest + 2u),
			 __ATOMIC_RELEASE);
}

struct left {
	long pages;    /* taken */
	uint32_t refs; /* more than before: of the page, */
	uint32_t head; /* and of its folio's head */
	unsigned fired;
};

/* Takes the page at va for writing, by the way of single pages or by the one among many. */
static struct left get_meanwhile(uint64_t va, bool many, struct meanwhile m)
{
	struct page *p, *page = fx_va_to_page(va);
	uint32_t before = page_refs(page);
	struct left left = {0};

	m.pte = pte_walk(current_mm()->root, va, 1, false, NULL);
	if (many) /* what the quick ways leave to it: a record that says folio */
		__atomic_fetch_or(&page->state, PAGE_FOLIO, __ATOMIC_ACQ_REL);
	preempt_disable();
	step_arm(many ? "gup_one_before_ref" : "gup_fast_before_ref", do_meanwhile, &m);
	left.pages = get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE | FOLL_FAST_ONLY, &p);
	left.fired = step_disarm();
	preempt_enable();
	left.refs = page_refs(page) - before;
	if (many)
		__atomic_fetch_and(&page->state, ~PAGE_FOLIO, __ATOMIC_ACQ_REL);
	if (left.fired && m.head) {
		left.head = page_refs(m.head) - (m.head->pgmap->rest + 2u);
		__atomic_store_n(&m.head->state, m.state, __ATOMIC_RELEASE);
	}
	if (left.fired)
		__atomic_store_n(m.pte, m.old, __ATOMIC_RELEASE);
	page_put_record(page, left.refs);
	return left;
}

static const char *way(bool many)
{
	return many ? "among many" : "a single page";
}

SELFTEST(gup_fast_protected, "gup.fast-protected",
	 "a page whose entry was write-protected between reading it and holding the page is not "
	 "given for writing")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a');

	EXPECT_OR(out, va, "not mapped");
	for (unsigned many = 0; many < 2; many++) {
		struct left left;

		at(va)[0] = 'b';
		left = get_meanwhile(va, many, (struct meanwhile){.cleared = PTE_W});
		EXPECT_OR(out, left.fired == 1, "the step point fired %u times", left.fired);
		EXPECT_OR(out, left.pages == 0 && !left.refs,
			  "%s: %ld page(s) for writing, though its entry is write-protected; %u "
			  "reference(s) left",
			  way(many), left.pages, left.refs);
	}
out:
	fixture_end(&fx);
}

SELFTEST(gup_fast_asked, "gup.fast-asked",
	 "a page that by then is shown through an entry whose VMA wants to be asked is left to the "
	 "slow path")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a');

	EXPECT_OR(out, va, "not mapped");
	for (unsigned many = 0; many < 2; many++) {
		struct left left;

		at(va)[0] = 'b';
		left = get_meanwhile(va, many, (struct meanwhile){.set = PTE_SLOW});
		EXPECT_OR(out, left.fired == 1, "the step point fired %u times", left.fired);
		EXPECT_OR(out, left.pages == 0 && !left.refs,
			  "%s: %ld page(s) through an entry that says PTE_SLOW by now; %u "
			  "reference(s) left",
			  way(many), left.pages, left.refs);
	}
out:
	fixture_end(&fx);
}

SELFTEST(gup_undo_by_record, "gup.undo-by-record",
	 "a reference that is given back goes to the record it was taken from, though the page is "
	 "part of a folio by then")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'a');

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = at(va)[PAGE_SIZE] = 'b';
	for (unsigned many = 0; many < 2; many++) {
		bool is_head = fx_va_to_page(va) == page_to_first(fx_va_to_page(va));
		uint64_t of = is_head ? va + PAGE_SIZE : va;
		struct page *head = page_to_first(fx_va_to_page(of));
		struct left left =
			get_meanwhile(of, many, (struct meanwhile){.cleared = ~0ull, .head = head});

		EXPECT_OR(out, left.fired == 1, "the step point fired %u times", left.fired);
		EXPECT_OR(
			out, left.pages == 0 && !left.refs && !left.head,
			"%s: %ld page(s); %d reference(s) left of the page, %d of the folio's head",
			way(many), left.pages, (int)left.refs, (int)left.head);
	}
out:
	fixture_end(&fx);
}
