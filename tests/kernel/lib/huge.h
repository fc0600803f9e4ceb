/* SPDX-License-Identifier: MIT */
/*
 * What the self-tests of 2 MiB mappings share. A file made here is sparse; the first store into
 * each 2 MiB allocates all of it.
 */
#ifndef TESTS_KERNEL_LIB_HUGE_H
#define TESTS_KERNEL_LIB_HUGE_H

#include "tests/kernel/lib/fixture.h"

#define PIN	    (FOLL_PIN | FOLL_WRITE)
#define N	    FOLIO_PAGES
#define PAGE(va, n) ((va) + (uint64_t)(n)*PAGE_SIZE)

/* A sparse file of `pages`. NULL: failed. */
static inline struct dax_inode *sparse(const char *name, uint64_t pages)
{
	struct dax_inode *f = scratch_file(name, 0, 0);

	if (f && dax_truncate(f, pages * PAGE_SIZE)) {
		dax_put(f);
		f = NULL;
	}
	return f;
}

/* A file of `nr` times 2 MiB, mapped, the first byte of each stored to: 'a', 'b', … 0: failed. */
static inline uint64_t map_huge(struct fixture *fx, const char *name, unsigned nr)
{
	struct dax_inode *f = sparse(name, nr * N);
	uint64_t va = f ? fx_map_as_is(fx, f, nr * N, true) : 0;

	for (unsigned i = 0; va && i < nr; i++)
		*at(PAGE(va, i * N)) = (char)('a' + i);
	return va;
}

/* Another mapping of the fixture's first file, from its page `pgoff` on, at `va` (0: anywhere). */
static inline uint64_t map_again(struct fixture *fx, uint64_t pgoff, unsigned pages, uint64_t va)
{
	if (dax_mmap(current_mm(), fx->inode[0], pgoff, pages, true, &va))
		return 0;
	return va;
}

static inline void unmap(uint64_t va, unsigned pages)
{
	if (va)
		mm_unmap(current_mm(), va, pages * PAGE_SIZE);
}

/* The entry that shows va: 1 (4K), 2 (2M), 0: none. */
static inline unsigned level_at(uint64_t va)
{
	unsigned level;
	uint64_t *pte = pte_walk(current_mm()->root, va, 1, false, &level);

	if (!pte)
		pte = pte_walk(current_mm()->root, va, level, false, NULL);
	return pte && (*pte & PTE_P) ? level : 0;
}

/* The head's record of what is mapped by 2 MiB at va. */
static inline struct page *va_to_head(uint64_t va)
{
	uint64_t *pte = pte_walk(current_mm()->root, va, 2, false, NULL);

	return pte ? pfn_to_page(pte_to_pfn(*pte)) : NULL;
}

static inline uint64_t fallbacks(void)
{
	uint64_t n = 0;

	for (unsigned i = HUGE_SERVED; i < HUGE_RESULTS; i++)
		n += huge_count(i);
	return n;
}

/* Writes its own number into every page of the 2 MiB at va. */
static inline void number_pages(uint64_t va)
{
	for (unsigned i = 0; i < N; i++)
		*(volatile uint64_t *)PAGE(va, i) = i + 1;
}

/* Pages of [first, last) that show another number. */
static inline unsigned wrong_numbers(uint64_t va, unsigned first, unsigned last)
{
	unsigned wrong = 0;

	for (unsigned i = first; i < last; i++)
		wrong += *(volatile uint64_t *)PAGE(va, i) != i + 1;
	return wrong;
}

#endif
