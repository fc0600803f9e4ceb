/* SPDX-License-Identifier: MIT */
/*
 * The fast path of get_user_pages inside 2 MiB and 1 GiB: through one large entry, and through the
 * 4K entries of a folio.
 *
 * The order is that of gup.c: entry, reference, entry again. The reference is of the record that
 * counts for the page, and for a 4K entry inside a folio (PTE_HEAD) that is the folio's head. May
 * the folio be split, or made again, between our two looks at the entry? While the entry stands its
 * mapping counts on the head, and a folio with mappings is not split. If the entry is gone, all can
 * happen: split, the pages in use one by one, made again, the same entry back. Therefore the
 * reference is taken only from a head whose word has the mark in that very compare-exchange; from
 * then on the reference itself forbids splitting. If the second look then finds the entry, its
 * mapping is counted on this head as well, and who unmaps it later and looks at the head sees our
 * reference. A reference on the page's own record, which page_to_record() would have named in
 * between, would be seen by nobody.
 */
#include "mm/tables/internal.h"
#include "mm/gup/internal.h"

STEP_POINT_DECLARE(gup_fast_before_leaf_ref);
STEP_POINT_DECLARE(gup_fast_before_part_ref);

#define NAMES 32u /* written in one go */

/* The names of n neighbours. */
static void name_pages(struct page **pages, struct page *first, unsigned long n)
{
	struct page **const end = pages + n;

	for (; pages + NAMES <= end; pages += NAMES, first += NAMES)
#pragma GCC unroll 32
		for (unsigned i = 0; i < NAMES; i++)
			pages[i] = first + i;
	while (pages < end)
		*pages++ = first++;
}

/* All references at once, then the second look at the entry: the same order as for one page. */
unsigned long gup_fast_leaf(const struct mm *mm, uint64_t addr, unsigned long nr, uint64_t need,
			    struct page **pages)
{
	unsigned level;
	const uint64_t *pte = pte_lowest(mm->root, addr, &level);
	uint64_t e = __atomic_load_n(pte, __ATOMIC_ACQUIRE);
	uint64_t skip = (addr & (level_bytes(level) - 1)) >> PAGE_SHIFT;
	unsigned long n = MIN(nr, (level_bytes(level) >> PAGE_SHIFT) - skip);
	struct page *record;

	if (level == 1 || (e & (need | PTE_PS | PTE_SLOW)) != (need | PTE_PS))
		return 0;
	record = pte_to_record(e);
	STEP_POINT(gup_fast_before_leaf_ref);
	if (!page_get(record, n))
		return 0;
	/* References before the second look, as for single pages. */
	if (unlikely(__atomic_load_n(pte, __ATOMIC_ACQUIRE) != e) && !gup_keep_anyway(record, n))
		return 0;
	name_pages(pages, pte_to_page(e) + skip, n);
	return n;
}

/* How many entries from ptep on, the first of which is pte, show neighbours; at most `most`. */
static unsigned long neighbours(const uint64_t *ptep, uint64_t pte, unsigned long most)
{
	unsigned long n = 0;

	while (n < most && __atomic_load_n(&ptep[n], __ATOMIC_ACQUIRE) == pte + n * PAGE_SIZE)
		n++;
	return n;
}

unsigned long gup_fast_part(const uint64_t *ptep, unsigned long nr, uint64_t need,
			    struct page **pages)
{
	uint64_t pte = __atomic_load_n(ptep, __ATOMIC_ACQUIRE);
	struct page *page = pfn_to_page(pte_to_pfn(pte)), *head = page_to_first(page);
	unsigned long n, kept;

	if ((pte & (need | PTE_HEAD | PTE_SLOW | PTE_COMPOUND)) != (need | PTE_HEAD))
		return 0;
	n = neighbours(ptep, pte, MIN(nr, (unsigned long)(head + FOLIO_PAGES - page)));
	STEP_POINT(gup_fast_before_part_ref);
	if (!n || !page_get_folio(head, n))
		return 0;
	/* References before the second look; those for entries that went are given back. */
	kept = neighbours(ptep, pte, n);
	if (kept < n && gup_keep_anyway(head, n - kept))
		kept = n;
	name_pages(pages, page, kept);
	return kept;
}
