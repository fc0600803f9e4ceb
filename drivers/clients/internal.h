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

/* cmd_region.c: the whole pages of MAPPING[+OFF], LEN bytes (0: to its end). 0, or a negative errno
 * after a sentence. */
int client_pages(const char *place, uint64_t len, uint64_t *addr, uint64_t *nr);
/* A LEN that was given: 1 byte or more. 0, or a negative errno after a sentence. */
int client_length(const char *text, uint64_t *len);
/* What a device is to write: 0, or -EINVAL after a sentence. */
int client_text(const char *text);

/* ---- longterm.c: what regions, frame buffers and containers share -----------------------------
 */

#define NO_EDU "no edu device (QEMU: -device edu)"
#define LONGTERM_REFUSED                                                                           \
	"the range has pages of a file (file-system DAX): a pin without an end could keep its "    \
	"truncate waiting for ever; memory of a device or an anonymous mapping would do, or a "    \
	"mount with longterm=allow (busy-extent)"

/* May [addr, + nr pages) be registered at all? 0, or -EINVAL with a sentence. */
int longterm_range(uint64_t addr, unsigned nr);
/* All `nr` pages from addr on of an address space, by FOLL_PIN and what else is in `flags`; else
 * none of them and the error of get_user_pages(), with a sentence. Sleepable. */
int pin_all(struct mm *mm, uint64_t addr, unsigned nr, unsigned flags, struct page **pages);
/* All `nr` pages (1 … DMA_MAX_PAGES) from page-aligned addr, pinned for writing and for ever; else
 * none and -EINVAL, -EOPNOTSUPP (file-system DAX), -EFAULT, -ENOMEM. Sleepable. */
int longterm_pin(uint64_t addr, unsigned nr, struct page **pages);
/* The sentence for an error of dma_map() or dma_map_at(), which may have said one already; the
 * error.
 */
int refuse_map(int err, const struct dma_device *dev, const char *what);
/* l->pages, l->nr of them and pinned, become reachable for the device, from bus address `bus` on
 * (zero: anywhere), and are listed as held by `what` (which stays). 0; else they are unpinned:
 * -ENOSPC, -ENOMEM, or as dma_map_at(). */
int longterm_map(struct longterm *l, struct dma_device *dev, const char *what, uint64_t bus);
/* Both. */
int longterm_register(struct longterm *l, struct dma_device *dev, uint64_t addr, unsigned nr,
		      const char *what);
/* The reverse; the device knows of them no more. */
void longterm_drop(struct longterm *l);
/* The device writes `text` over registered pages. Sleeps; woken by: the completion interrupt. 0,
 * -ENOMEM. */
int longterm_transfer(struct edu *e, const struct dma_mapping *map, const char *text);

/* ---- region.c, region_demand.c, region_lease.c
 * ----------------------------------------------------------------
 */

struct region {
	enum region_kind kind;
	struct edu *e;
	uint64_t addr;
	unsigned nr;
	char name[32]; /* "RDMA region r1" */
	/* Its bus addresses, and what they lead to. On demand: held.nr is zero, and without a
	 * domain held.map.dev is NULL. Pinned: it is zero once it was revoked. */
	struct longterm held;
	struct mutex lock; /* held, and the rest */
	/* Pinned: */
	LIST_HEAD(, region_lease) leases; /* of who registers or deregisters */
	bool told, revoked;		  /* one of its leases was; read without the lock */
	/* On demand: */
	struct mm_notifier notifier;
	uint64_t present;    /* bit i: page i is filled in */
	unsigned long taken; /* times that pages were taken away; zero: never */
};
_Static_assert(DMA_MAX_PAGES <= 64, "region.present has a bit for each page");

/* For a new region, 0 or an error of region_register(); the rest for one that is registered. */
int demand_register(struct region *r);
void demand_deregister(struct region *r);
int demand_receive(struct region *r, const char *text); /* see region_receive() */
int pinned_register(struct region *r);
void pinned_deregister(struct region *r);

#endif
