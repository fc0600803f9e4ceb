/* SPDX-License-Identifier: MIT */
/*
 * A memory region on a file that is mapped with MAP_DIRECT, and what becomes of it:
 *
 *     LEASED(l, &lifetime_busy_extent, e, 2);          F, two pages, registered; or skips by name
 *     leased_break(&l) …                               F is truncated past a deaf holder
 * out:
 *     leased_end(&l);
 */
#ifndef TESTS_KERNEL_LIB_LEASED_H
#define TESTS_KERNEL_LIB_LEASED_H

#include "tests/kernel/lib/places.h"

#define LEASED_SOON 20000000ull /* ns: how long a test lets a deaf holder have its lease */

struct leased {
	struct fixture fx;
	struct dax_inode *f, *g; /* g: what leased_break() gave F's blocks to */
	uint64_t va;
	unsigned pages;
	struct edu *e;
	struct region *r; /* NULL: not registered, or not any more */
	uint64_t break_time;
	int err; /* of the mapping or the registration, with refusal() */
};
/* Maps all of a file with MAP_DIRECT, writable. 0: refused. */
uint64_t map_direct(struct dax_inode *f, unsigned pages);
/* Every other block belongs to "fill". False: nothing to end, l->fx.why. */
bool leased_begin(struct leased *l, const struct lifetime *lt, struct edu *e, unsigned pages);
void leased_deregister(struct leased *l);
void leased_end(struct leased *l); /* drains the notices, puts the break time back */
/* Truncates F, waiting out the holder, and makes G of its blocks. 0, or what truncate said. */
int leased_break(struct leased *l);
/* The device writes where it was sent. Value: bytes of G that are not G's; negative: no answer. */
int leased_late(struct leased *l);
unsigned leased_notices(void); /* of this thread, taken now */

#define LEASED(l, lt, e, pages_)                                                                   \
	struct leased l;                                                                           \
	if (!scratch_region(&l.fx.why))                                                            \
		SKIP("%s", l.fx.why);                                                              \
	EXPECT(leased_begin(&l, lt, e, pages_), "mounting: %s", l.fx.why);                         \
	EXPECT_OR(out, !l.err, "%s: error %d, %s", (lt)->name, l.err, refusal())
#endif
