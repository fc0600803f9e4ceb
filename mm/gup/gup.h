/* SPDX-License-Identifier: MIT */
/*
 * get_user_pages: from addresses to page records that stay while somebody else (a device) uses
 * them.
 */
#ifndef MM_GUP_GUP_H
#define MM_GUP_GUP_H

#define FOLL_WRITE     1u  /* the pages will be written: needs a writable mapping */
#define FOLL_GET       2u  /* a plain reference */
#define FOLL_PIN       4u  /* a reference for DMA; given back by unpin_user_pages() */
#define FOLL_LONGTERM  8u  /* held for an unbounded time: refused on file-system DAX */
#define FOLL_FAST_ONLY 16u /* gup_fast must not fall back to the slow path */

/*
 * Slow path: takes mmap_lock of `mm` for reading, walks, faults in what is missing. Pages from
 * page-aligned `addr` on into pages[]. Returns how many (1…nr), or -EINVAL (flags, alignment),
 * -EFAULT (no mapping, no record, no permission), -EOPNOTSUPP (FOLL_LONGTERM on file-system DAX),
 * -EBUSY (inside 2 MiB of which the file freed another part that is still held), -ENOMEM, or what
 * gup_begin of the first VMA said (space.h). With such a VMA a signal ends the call early, with a
 * short count. Sleepable.
 */
long get_user_pages(struct mm *mm, uint64_t addr, unsigned long nr, unsigned flags,
		    struct page **pages);
/*
 * Fast path: no lock. With interrupts off it reads each entry, takes a reference (only from a page
 * that is mapped or referenced), and reads the entry again; a changed entry means the page may
 * belong to somebody else by now: undo. What it could not get, the slow path gets. Current mm.
 */
long get_user_pages_fast(uint64_t addr, unsigned long nr, unsigned flags, struct page **pages);

/*
 * What pages[] holds are names: page_to_pfn() and arithmetic work on each, but inside a folio or a
 * compound only page_to_record() of it may be looked into; the reference is counted there.
 */

/* The ways to give references back; each ends where page_put() does. Any context. */
void put_user_page(struct page *p);
void put_user_pages(struct page **pages, unsigned long nr); /* bulk */
void unpin_user_pages(struct page **pages, unsigned long nr);
/* As a block request gives its pages back when it is complete. Any context. */
void bio_put_user_pages(struct page **pages, unsigned long nr);
/* For who knows that it holds nr pages side by side, as those of one larger entry are: first, first
 * + 1, … One step for each folio or compound. Any context. */
void put_user_page_range(struct page *first, unsigned long nr);

/* Counters since boot. Zero means: never happened. */
extern unsigned long gup_fast_retries; /* references undone because the entry had changed */
extern unsigned long gup_slow_calls;

#endif
