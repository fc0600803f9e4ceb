/* SPDX-License-Identifier: MIT */
/* What the three files of get_user_pages share with each other and with nobody else. */
#ifndef MM_GUP_INTERNAL_H
#define MM_GUP_INTERNAL_H

#include "mm/page/internal.h"
#include "mm/tables/internal.h"

/* The bits that an entry must have. */
static inline uint64_t gup_needed(unsigned flags)
{
	return PTE_P | PTE_DEVMAP | (flags & FOLL_WRITE ? PTE_W : 0);
}
/* Does the entry lack what fast gup needs of it, or have what only others know to treat? */
static inline bool gup_fast_refuses(uint64_t pte, unsigned flags)
{
	const uint64_t write = flags & FOLL_WRITE ? PTE_W : 0;

	return (pte ^ (PTE_P | PTE_DEVMAP | PTE_W)) &
	       (PTE_P | PTE_DEVMAP | PTE_HEAD | PTE_SLOW | write);
}
/* Exactly one kind of reference; a long-term one is a pin by definition. Bit n of such a mask tells
 * whether the flags of the value n go together; FOLL_WRITE goes with all. */
#define GUP_FLAGS(f) (1u << (f) | 1u << ((f) | FOLL_WRITE))
#define GUP_SHORT_TERM                                                                             \
	(GUP_FLAGS(FOLL_GET) | GUP_FLAGS(FOLL_PIN) | GUP_FLAGS(FOLL_GET | FOLL_FAST_ONLY) |        \
	 GUP_FLAGS(FOLL_PIN | FOLL_FAST_ONLY))
#define GUP_ANY_TERM                                                                               \
	(GUP_SHORT_TERM | GUP_FLAGS(FOLL_PIN | FOLL_LONGTERM) |                                    \
	 GUP_FLAGS(FOLL_PIN | FOLL_LONGTERM | FOLL_FAST_ONLY))
static inline bool gup_args_ok(uint64_t addr, unsigned flags, uint32_t allowed)
{
	return flags < 32 && (allowed >> flags & 1) && !(addr & ~(USER_END - PAGE_SIZE));
}
/* -EINVAL: flags, alignment, no page, or pages beyond the end of user addresses. */
static inline int gup_check(uint64_t addr, unsigned long nr, unsigned flags)
{
	if (!gup_args_ok(addr, flags, GUP_ANY_TERM) || nr - 1 >= (USER_END - addr) >> PAGE_SHIFT)
		return -EINVAL;
	return 0;
}
/* The entry changed while n references were taken. False: they were given back. */
bool gup_keep_anyway(struct page *record, unsigned long n);
/* References on what a larger entry shows: up to nr pages from addr on. Interrupts off. */
unsigned long gup_fast_leaf(const struct mm *mm, uint64_t addr, unsigned long nr, uint64_t need,
			    struct page **pages);
/* The same through 4K entries of a folio, which have PTE_HEAD, from ptep on and as far as they show
 * neighbours; zero: the first one does not allow it. Interrupts off. */
unsigned long gup_fast_part(const uint64_t *ptep, unsigned long nr, uint64_t need,
			    struct page **pages);

#endif
