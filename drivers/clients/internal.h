/* SPDX-License-Identifier: MIT */
/*
 * gup_test: get_user_pages over a range, again and again, with every answer looked at. Behind the
 * command of that name and the self-tests gup-test.*.
 */
#ifndef DRIVERS_CLIENTS_INTERNAL_H
#define DRIVERS_CLIENTS_INTERNAL_H

#include "drivers/clients/clients.h"

enum gup_mode {
	GUP_GET_FAST,	  /* no lock, a reference */
	GUP_PIN_FAST,	  /* no lock, a pin */
	GUP_PIN_LONGTERM, /* a pin for an unbounded time: the slow path decides */
	GUP_GET,	  /* under mmap_lock for reading, a reference */
	GUP_PIN,	  /* under mmap_lock for reading, a pin */
	GUP_MODES
};
extern const char *const gup_mode_names[GUP_MODES];

#define GUP_MAX_CALL	65536u /* pages */
#define GUP_MAX_THREADS 16u
#define GUP_MAX_DUMP	16u

struct gup_test {
	/* What to do. */
	uint64_t addr, pages; /* whole pages of the caller's address space; at least one */
	enum gup_mode mode;
	unsigned flags;	   /* FOLL_WRITE and others, added to the mode's own */
	uint64_t per_call; /* pages asked for at once, 1 … GUP_MAX_CALL */
	uint64_t repeat;   /* times over the range, at least 1 */
	uint64_t threads;  /* that do all of it at the same time, 1 … GUP_MAX_THREADS */
	uint64_t dump[GUP_MAX_DUMP];
	unsigned nr_dump; /* pages to be printed, counted from 1; in the first pass of the first
			     thread */

	/* What came of it. */
	uint64_t covered;  /* pages, all passes and threads together */
	uint64_t calls;	   /* that got at least one page */
	uint64_t unpinned; /* pages that a pin did not count for; zero: each may be DMA-pinned */
	uint64_t unfit;	   /* pages of a long-term pin that none may have; zero: none */
	uint64_t get_ns, put_ns;
	int err; /* of the first call that got nothing; 0: none */
};

/* Makes every page present first (for writing, if FOLL_WRITE is among the flags), as an access
 * would. How many are. Sleepable. */
uint64_t gup_test_touch(const struct gup_test *t);
/*
 * Runs it. A short count ends the pass; whatever was got is given back before the next call. 0, or
 * -EINVAL (arguments), -ENOMEM (threads, arrays), else the first error of get_user_pages, -EFAULT
 * if a count was short without one. The results are valid unless it is -EINVAL or -ENOMEM.
 * Sleepable.
 */
int gup_test_run(struct gup_test *t);

/* What region.c and grabber.c share with each other and with nobody else. */

/* All `nr` pages (1 … DMA_MAX_PAGES) from page-aligned addr, pinned for writing and for ever; else
 * none and -EINVAL, -EOPNOTSUPP (file-system DAX), -EFAULT, -ENOMEM. Sleepable. */
int longterm_pin(uint64_t addr, unsigned nr, struct page **pages);
/* The device writes `text` over pages that the caller holds. Sleeps; woken by: the completion
 * interrupt. 0, -ENODEV, -ENOMEM. */
int longterm_transfer(struct page **pages, unsigned nr, struct edu *e, const char *text);

#endif
