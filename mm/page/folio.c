/* SPDX-License-Identifier: MIT */
/*
 * Making one record count for 2 MiB, and letting each page count for itself again.
 *
 * Both change the mark only in a word that shows rest, by one compare-exchange, and both are called
 * by the holder of the lock of the index entry that covers the 2 MiB. A reference that somebody
 * takes through an old page-table entry meanwhile either comes first, and the exchange fails, or
 * finds the mark changed: who takes by the head does so only from a word that has the mark.
 *
 * Before 512 pages are counted as one, none of them may be counted by itself: that is asked of
 * every record which may be. Whether there is any is known: who is about to use a single page marks
 * its 2 MiB, in the kernel's page-table entry for the frame of the head's record, once and for as
 * long as the device is bound (page_mark_single()). Of 2 MiB that were never used but as a whole
 * only the head is asked.
 */
#include "mm/tables/internal.h"

/* All bits that are set in the state of any of the records of one frame. Plain loads: whoever still
 * puts one of these pages only makes the answer "not at rest" one look too old. */
static uint64_t states_of_frame(const struct page *p)
{
	uint64_t all = 0;

#pragma GCC unroll 32
	for (unsigned i = 0; i < RECORDS_PER_FRAME; i++)
		all |= p[i].state;
	return all;
}

void page_mark_single(const struct page *p)
{
	uint64_t *pte = pte_leaf(kernel_root, (uint64_t)page_to_first(p));

	ASSERT(pte && (*pte & PTE_P), "the record of pfn 0x%lx must exist", page_to_pfn(p));
	if (!(__atomic_load_n(pte, __ATOMIC_RELAXED) & PTE_SINGLE))
		__atomic_fetch_or(pte, PTE_SINGLE, __ATOMIC_RELAXED);
}

/* The same of all frames of the 2 MiB that exist: the head's, and those after it. */
static uint64_t __attribute__((noinline))
states_of_folio(const struct page *head, const uint64_t *pte)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < FOLIO_PAGES / RECORDS_PER_FRAME; i++)
		if (__atomic_load_n(&pte[i], __ATOMIC_ACQUIRE) & PTE_P)
			all |= states_of_frame(head + i * RECORDS_PER_FRAME);
	return all;
}

/* The kernel's page-table entry for the frame that the head's record is in, made if need be; those
 * of the other frames of the 2 MiB follow. NULL: no memory. */
static const uint64_t *frame_of_head(const struct page *head)
{
	const uint64_t *pte = pte_leaf(kernel_root, (uint64_t)head);

	if (likely(pte && (__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P)))
		return pte;
	return page_records_populate(page_to_pfn(head), 1) ? NULL
							   : pte_leaf(kernel_root, (uint64_t)head);
}

int page_folio_make(struct page *head)
{
	const uint64_t *pte = frame_of_head(head);
	uint64_t rest, old;

	if (unlikely(!pte))
		return -ENOMEM;
	rest = head->pgmap->rest;
	old = page_state(head);
	if (unlikely(__atomic_load_n(pte, __ATOMIC_RELAXED) & PTE_SINGLE))
		old |= states_of_folio(head, pte);
	/* At rest 1 every record has just that bit: their sum of bits is 1 only if all are 1. */
	return (old & ~PAGE_FOLIO) == rest && __atomic_compare_exchange_n(
						      &head->state, &old, rest | PAGE_FOLIO, false,
						      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
		       ? 0
		       : -EBUSY;
}

bool page_folio_split(struct page *head)
{
	uint64_t rest = head->pgmap->rest, old = rest | PAGE_FOLIO;

	return __atomic_compare_exchange_n(&head->state, &old, rest, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE) ||
	       !(old & PAGE_FOLIO);
}
