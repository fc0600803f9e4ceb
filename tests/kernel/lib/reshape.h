/* SPDX-License-Identifier: MIT */
/* What the self-tests of reshaping share: files whose pages carry numbers. */
#ifndef TESTS_KERNEL_LIB_RESHAPE_H
#define TESTS_KERNEL_LIB_RESHAPE_H

#include "tests/kernel/lib/huge.h"

static inline volatile uint64_t *word(uint64_t va, uint64_t page)
{
	return (volatile uint64_t *)PAGE(va, page);
}

/* Pages [0, pages) of a fresh file, mapped; page i carries base + i. 0: failed. */
static inline uint64_t map_numbered(struct fixture *fx, const char *name, unsigned pages,
				    uint64_t base)
{
	uint64_t va = fx_map(fx, name, pages, 'x');

	for (unsigned i = 0; va && i < pages; i++)
		*word(va, i) = base + i;
	return va;
}

/* Pages of [first, last) that do not carry base + (their number - first). */
static inline unsigned wrong(uint64_t va, unsigned first, unsigned last, uint64_t base)
{
	unsigned n = 0;

	for (unsigned i = first; i < last; i++)
		n += *word(va, i) != base + i - first;
	return n;
}

static inline unsigned nonzero(uint64_t va, unsigned first, unsigned last)
{
	unsigned n = 0;

	for (unsigned i = first; i < last; i++)
		n += *word(va, i) != 0;
	return n;
}

/* No page that the fixture's file `i` has an entry for is referenced. */
static inline unsigned held(struct fixture *fx, unsigned i)
{
	uint64_t at = 0, entry;
	unsigned n = 0;

	for (; (entry = entry_next(fx->inode[i], &at, ~0ul >> 12)); at += entry_pages(entry))
		n += page_refs(page_to_record(pfn_to_page(entry_to_pfn(entry)))) !=
		     fx->fs->lifetime->rest;
	return n;
}

#endif
