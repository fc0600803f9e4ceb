/* SPDX-License-Identifier: MIT */
/*
 * get_user_pages: addresses in, referenced page records out. Here the fast path; gup_slow.c is what
 * takes over where it stops.
 *
 * No lock at all. The order is everything: read the entry, take the reference, read the entry
 * again. If it is still the same, the page was mapped while we already held it, so truncate's scan,
 * which unmaps first and looks at counts afterwards, sees our reference. If it changed, the page
 * may have been freed and belong to another file: put it back and let the slow path decide.
 * Interrupts stay off, so no page-table page can be freed under us: that needs every CPU's
 * acknowledgement.
 *
 * What makes it fast. Entries of one table mostly differ in their address alone: their other bits
 * are checked once, and compared from then on. Entries of neighbours in memory are each the one
 * before plus one page, so a run of them needs no look at single bits at all.
 */
#include "mm/tables/internal.h"
#include "mm/gup/internal.h"

MUSEUM(fast_gup_no_recheck, "fast-gup-no-recheck",
       "fast gup trusts an entry it read before it held the page; "
       "shown by selftest gup.fast-rechecks and selftest gup.runs-recheck");
MUSEUM(undo_keeps, "undo-keeps-reference",
       "a fast gup that finds its entry gone keeps the reference that it took for it; shown by "
       "selftest gup.fast-rechecks");
MUSEUM_DECLARE(get_from_zero);
STEP_POINT_DECLARE(gup_fast_before_ref);
STEP_POINT_DECLARE(gup_one_before_ref);

#define RUN 16u

unsigned long gup_fast_retries;

/* The entry is not what it was before we had our references: the page may be another file's by now.
 * They go back to the record they were taken from: whose head counts for it may have changed too.
 */
static void __attribute__((noinline)) give_back(struct page *record, unsigned long n)
{
	__atomic_fetch_add(&gup_fast_retries, 1, __ATOMIC_RELAXED);
	if (!museum_on(undo_keeps))
		page_put_record(record, n);
}

bool __attribute__((noinline)) gup_keep_anyway(struct page *record, unsigned long n)
{
	if (museum_on(fast_gup_no_recheck))
		return true;
	give_back(record, n);
	return false;
}

/* What the entries of a table have in common: all but the address. */
struct kind {
	uint64_t bits; /* zero: none was accepted yet, and no present entry is like that */
	uint64_t base; /* of the records: entry / 128 + base, since 4 KiB have 32 bytes of record */
};

/* May entries like this one be taken? Those that may have no PTE_HEAD and no PTE_SLOW. */
static inline bool kind_of(struct kind *kind, uint64_t pte, uint64_t need)
{
	_Static_assert(PAGE_SIZE / RECORD_SIZE == 128, "a record's place is its page's over 128");
	if ((pte & (need | PTE_HEAD | PTE_SLOW)) != need)
		return false;
	kind->bits = pte & ~PTE_PHYS;
	kind->base = RECORD_BASE - kind->bits / 128;
	return true;
}

static inline struct page *pte_kind_to_page(uint64_t pte, const struct kind *kind)
{
	return (struct page *)(pte / 128 + kind->base);
}

/*
 * In the two loops below the locked instruction stands between the looks at an entry, a full
 * barrier, for the compiler too: reference before the second look, else the scan misses us and we
 * miss its unmapping. There is no call in them, so that all they need stays in registers; both end
 * at the first entry that is not what they expect.
 */

/* The reference on a page whose entry changed is given back. Value: how many pages that are more.
 */
static unsigned end_changed(struct page *page, struct page **pages)
{
	if (!gup_keep_anyway(page, 1))
		return 0;
	*pages = page;
	return 1;
}

/* Do RUN entries seem to show neighbours, the first one being pte? */
static inline bool seems_run(const uint64_t *ptep, uint64_t pte)
{
	return ptep[0] == pte && ptep[RUN - 1] == pte + (RUN - 1) * PAGE_SIZE;
}

/*
 * Whole groups of RUN entries that show neighbours, at most nr >= RUN entries. The first one is
 * pte, of an allowed kind, and shows `page`. Value: how many were taken.
 *
 * Of a group only the ends are looked at before the references are taken. That is enough to know
 * that the records between exist: RUN of them lie in the frames that the first and the last one lie
 * in. Whether the entries between are what they should be, the second look says, which each gets;
 * until then a reference is one of those that fast gup may take and has to give back.
 *
 * Neither are the records looked at before: that they are all in the state of the first one is a
 * guess, and the compare-exchange holds it against each. Where it is wrong this ends.
 */
static unsigned long __attribute__((noinline))
take_runs(const uint64_t *ptep, unsigned long nr, uint64_t pte, struct page *page,
	  struct page **pages)
{
	const uint64_t *const first = ptep, *const last = ptep + nr - RUN;
	uint64_t state = page_state(page);
	const uint64_t held = state + PAGE_REF;
	unsigned i = 0;

	_Static_assert(RUN * RECORD_SIZE <= PAGE_SIZE, "a group's records lie in two frames");
	page_check_seen(held);
	if (!page_state_usual(state))
		return 0;
	for (; ptep <= last && seems_run(ptep, pte); ptep += RUN) {
		STEP_POINT(gup_fast_before_ref);
#pragma GCC unroll 16
		for (i = 0; i < RUN; i++) {
			if (unlikely(!page_change(page + i, &state, held)))
				goto end;
			if (unlikely(ptep[i] != pte + i * PAGE_SIZE))
				goto changed;
			pages[i] = page + i;
		}
		pte += RUN * PAGE_SIZE;
		page += RUN;
		pages += RUN;
	}
	i = 0;
	goto end;
changed:
	give_back(page + i, 1);
end:
	return ptep + i - first;
}

/* n entries of one kind, wherever their pages are; value: how many were taken. What is known of the
 * state of one page is known of all that are in the same. */
static unsigned long __attribute__((noinline))
take_each(const uint64_t *ptep, unsigned long nr, const struct kind *of, struct page **pages)
{
	const struct kind kind = *of;
	uint64_t state = ~0ull /* which none is in */, held = 0, seen = 0;
	struct page *page = NULL;
	bool changed = false;
	unsigned long n;

	for (n = 0; n < nr; n++) {
		uint64_t pte = __atomic_load_n(&ptep[n], __ATOMIC_ACQUIRE);

		if (unlikely((pte & ~PTE_PHYS) != kind.bits))
			break;
		page = pte_kind_to_page(pte, &kind);
		STEP_POINT(gup_fast_before_ref);
		if (unlikely(page_state(page) != state)) {
			state = page_state(page);
			if (!page_state_usual(state))
				break;
			held = state + PAGE_REF;
			seen |= held;
		}
		if (unlikely(!page_change(page, &state, held)))
			break;
		INTENDED_RACE("one load, behind the locked exchange: old or new, both are right");
		changed = ptep[n] != pte;
		if (unlikely(changed))
			break;
		pages[n] = page;
	}
	page_check_seen(seen);
	return changed ? n + end_changed(page, pages + n) : n;
}

/* One entry, also of a page that page_get_quick() does not take: a folio's head, or one that
 * somebody else takes at the same moment. */
static unsigned long take_one(const uint64_t *ptep, uint64_t need, struct page **pages)
{
	uint64_t pte = __atomic_load_n(ptep, __ATOMIC_ACQUIRE);
	struct page *page = pfn_to_page(pte_to_pfn(pte));

	if ((pte & (need | PTE_HEAD | PTE_SLOW)) != need)
		return 0;
	STEP_POINT(gup_one_before_ref);
	/* LAB 04 take-one: the same among many, where 0 says that the slow path has to decide */
	if (!page_get(page, 1))
		return 0;
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) != pte)
		return end_changed(page, pages);
	*pages = page;
	return 1;
	/* END */
}

/* Pages through the `nr` entries of one page table from ptep on; value: how many it got. What stops
 * it is an entry that does not allow it, or changed meanwhile. */
static unsigned long fast_table(const uint64_t *ptep, unsigned long nr, uint64_t need,
				struct page **pages)
{
	struct kind kind = {PTE_PHYS, 0}; /* which no entry is like: not even an absent one */
	bool alike = true; /* no guess of take_runs() was wrong: else one page after the other */
	unsigned long n = 0, got = 1;

	for (; n < nr && got; n += got) {
		uint64_t pte = __atomic_load_n(&ptep[n], __ATOMIC_ACQUIRE);

		if ((pte & ~PTE_PHYS) != kind.bits && !kind_of(&kind, pte, need)) {
			got = gup_fast_part(ptep + n, nr - n, need, pages + n);
		} else if (alike && nr - n >= RUN && seems_run(ptep + n, pte)) {
			got = take_runs(ptep + n, nr - n, pte, pte_kind_to_page(pte, &kind),
					pages + n);
			alike = !(got % RUN);
		} else {
			got = take_each(ptep + n, MIN(nr - n, 8 * RUN), &kind, pages + n);
			alike = true;
		}
		if (unlikely(!got))
			got = take_one(ptep + n, need, pages + n);
	}
	return n;
}

static unsigned long __attribute__((noinline))
fast_walk(const struct mm *mm, uint64_t addr, unsigned long nr, uint64_t need, struct page **pages)
{
	uint64_t irq = irq_save();
	unsigned long n = 0, want, got;

	do { /* one page table, or one larger entry, at a time */
		const uint64_t *ptep = pte_leaf(mm->root, addr);

		want = MIN(nr - n, 512 - (addr >> PAGE_SHIFT & 511));
		got = ptep ? fast_table(ptep, want, need, pages + n)
			   : gup_fast_leaf(mm, addr, want, need, pages + n);
		n += got;
		addr += got << PAGE_SHIFT;
	} while (got == want && n < nr);
	irq_restore(irq);
	return n;
}

/* Its entry changed while one page was taken. Interrupts on again. */
static bool __attribute__((noinline)) one_changed(struct page *page, uint64_t irq)
{
	bool kept = gup_keep_anyway(page, 1);

	irq_restore(irq);
	return kept;
}

/* page_get_one() has refused; the museum takes the page all the same. Interrupts on again. */
static bool __attribute__((noinline, unused))
one_refused(struct page *page, const uint64_t *ptep, uint64_t pte, uint64_t irq,
	    struct page **pages)
{
	bool got = museum_on(get_from_zero) && page_get(page, 1);

	*pages = page;
	if (got && *ptep != pte)
		return one_changed(page, irq);
	irq_restore(irq);
	return got;
}

/* The same for one page and its usual entry, without loops. False: somebody else has to try. */
static inline bool fast_one(uint64_t addr, unsigned flags, struct page **pages)
{
	uint64_t irq = irq_save(), pte;
	const struct mm *mm = current_mm();
	const uint64_t *ptep;
	struct page *page;

	if (unlikely(!mm) || unlikely(!(ptep = pte_leaf(mm->root, addr))))
		goto other;
	pte = __atomic_load_n(ptep, __ATOMIC_ACQUIRE);
	if (unlikely(gup_fast_refuses(pte, flags)))
		goto other;
	STEP_POINT(gup_fast_before_ref);
	/* LAB 04 fast-one: take the page that the entry showed */
	page = pfn_to_page(pte_to_pfn(pte));
	if (unlikely(!page_get_one(page)))
		return one_refused(page, ptep, pte, irq, pages);
	*pages = page;
	INTENDED_RACE("one load, behind the locked exchange: old or new, both are right");
	if (unlikely(*ptep != pte))
		return one_changed(page, irq);
	irq_restore(irq);
	return true;
	/* END */
other:
	irq_restore(irq);
	return false;
}

static long __attribute__((noinline))
fast_and_slow(uint64_t addr, unsigned long nr, unsigned flags, struct page **pages)
{
	struct mm *mm = current_thread()->mm;
	int err = gup_check(addr, nr, flags);
	unsigned long n = 0;
	long more;

	if (err)
		return err;
	if (!mm)
		return -EFAULT;
	if (!(flags & FOLL_LONGTERM)) /* only the slow path sees the VMA, which decides that */
		n = fast_walk(mm, addr, nr, gup_needed(flags), pages);
	if (n == nr || (flags & FOLL_FAST_ONLY))
		return n;
	more = get_user_pages(mm, addr + n * PAGE_SIZE, nr - n, flags & ~FOLL_FAST_ONLY, pages + n);
	return n ? (long)n + MAX(more, 0) : more;
}

long get_user_pages_fast(uint64_t addr, unsigned long nr, unsigned flags, struct page **pages)
{
	if (unlikely(nr != 1))
		return fast_and_slow(addr, nr, flags, pages);
	if (likely(gup_args_ok(addr, flags, GUP_SHORT_TERM)) &&
	    likely(fast_one(addr, flags, pages)))
		return 1;
	return fast_and_slow(addr, 1, flags, pages);
}

void put_user_page(struct page *p)
{
	page_put(p, 1);
}

void put_user_pages(struct page **pages, unsigned long nr)
{
	page_put_each(pages, nr);
}

void put_user_page_range(struct page *first, unsigned long nr)
{
	page_put_range(first, nr);
}

void unpin_user_pages(struct page **pages, unsigned long nr)
{
	put_user_pages(pages, nr);
}

void bio_put_user_pages(struct page **pages, unsigned long nr)
{
	if (unlikely(page_any_deaf))
		page_put_each_by(pages, nr, PUT_BY_BIO);
	else
		page_put_each(pages, nr);
}
