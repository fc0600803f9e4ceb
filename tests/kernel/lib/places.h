/* SPDX-License-Identifier: MIT */
/*
 * The places that the policy of long-term pins tells apart, mapped and stored to,
 * one at a time:
 *
 *     struct place p;
 *     if (place_begin(&p, PLACE_FILE, 3)) …           p.va, p.pages
 *     place_end(&p);
 */
#ifndef TESTS_KERNEL_LIB_PLACES_H
#define TESTS_KERNEL_LIB_PLACES_H

#include "tests/kernel/lib/fixture.h"

enum place_kind {
	PLACE_FILE,   /* of a DAX file system */
	PLACE_DEVICE, /* device-dax, by 2 MiB */
	PLACE_ANON,
	PLACE_MIXED,	    /* anonymous memory, and behind it, from its last page on, a DAX file */
	PLACE_DIRECT,	    /* of a DAX file, mapped with MAP_DIRECT */
	PLACE_MIXED_DIRECT, /* anonymous memory, and behind it a DAX file with MAP_DIRECT */
	PLACES
};
extern const char *const place_names[PLACES];

struct place {
	enum place_kind kind;
	uint64_t va;
	unsigned pages;
	struct fixture fx; /* of a place with a file: fx.inode[0] */
	bool mounted;
	const char *why; /* what place_begin() failed for */
};
/* Maps `pages` (2 … 64) pages and stores to each. False: p->why; nothing to end then. */
bool place_begin(struct place *p, enum place_kind kind, unsigned pages);
void place_end(struct place *p);
/* The same in a self-test, which skips by name if there is no scratch device for it. */
#define PLACE(p, kind_, pages_)                                                                    \
	do {                                                                                       \
		if ((kind_) != PLACE_ANON && !scratch_region(&(p)->why))                           \
			SKIP("%s", (p)->why);                                                      \
		EXPECT(place_begin(p, kind_, pages_), "%s", (p)->why);                             \
	} while (0)
/* References on its pages beyond those at rest. */
unsigned place_held(const struct place *p);
/* Does each page begin with `text`? */
bool place_shows(const struct place *p, const char *text);
/* fn(guest, arg) by somebody in an address space of its own, who looks at the caller's, `guest`.
 * -ENOMEM, or what fn said. */
int in_another_mm(int (*fn)(struct mm *guest, void *arg), void *arg);
/* Faults recorded since boot by the unit in front of a device, which has a domain. Those a test
 * asks for are not told at the prompt. */
uint64_t faults_of(struct edu *e);
/* A device that was told nothing new: it writes `text` where it was told to before, whatever became
 * of the pages. Waits for it. 0, -ENOMEM. */
int region_late(struct region *r, const char *text);

#endif
