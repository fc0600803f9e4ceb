/* SPDX-License-Identifier: MIT */
/*
 * What the catalogue's races share with each other: a device that goes (race_unbind.c), a reference
 * that is born while somebody waits (race_born.c).
 */
#ifndef TESTS_KERNEL_RACE_RACE_PARTS_H
#define TESTS_KERNEL_RACE_RACE_PARTS_H

#include "tests/kernel/race/script.h"

/* ---- the device goes (race_unbind.c) -------------------------------------------------------- */

struct pgmap *race_pgmap(void);
/* A reference of the director's keeps the device while its teardown waits, until
 * race_device_leave(). */
void race_device_guard(void);
/* dax_unbind(), which is refused under a mount; where that is not the lifetime's own answer, the
 * removal that cannot be refused after it. race_unbind_refused(), when it is over or sleeps: was
 * the first refused? False: the verdict is set. */
int piece_remove_device(struct script *s);
bool race_unbind_refused(struct script *s);
/* s->page: F's first page, found through the mapping: nobody need hold it. */
int piece_look_up(struct script *s);
/* The teardown is over. Binds again; the record of s->page becomes what `was` says. False: the
 * verdict is set. */
bool race_device_mend(struct script *s, struct actor *unbinder, const struct page *was);
/* The teardown waits, the guard is there, and nothing maps F: everything goes in order, and the
 * device comes again. */
void race_device_leave(struct script *s, struct actor *t1, struct actor *unbinder);
/* `unbinder` removes the device while t1 holds F's page, which nothing maps: I2 if that does not
 * wait. To the end of the script. */
void race_device_goes_pinned(struct script *s, struct actor *t1, struct actor *unbinder);

/* ---- a reference is born (race_born.c) ------------------------------------------------------ */

#define BORN_BASE 0x400000000ull /* F is mapped a page behind this, and anonymous memory here */
int piece_map_behind_anon(struct script *s);
/* The script holds `page`, whose reference was taken by whoever calls this. */
void race_hold(struct script *s, struct page *page);
/*
 * T1 pins page 1 of F, T2 punches all of F; if that waits, T3 pins page 0 by `gup` (which returns
 * it), then T1 puts page 1. G, two pages large, shows whether page 0 was freed under T3.
 */
void race_born_meanwhile(struct script *s, long (*gup)(struct script *s, struct page **page),
			 const char *how);

/* ---- entries (race_d.c) --------------------------------------------------------------------- */

/* F's first page loses its mappings and its entry, and keeps its block: what a write past the
 * mappings does to a clean page (invalidation). */
int piece_invalidate(struct script *s);
int piece_touch_first(struct script *s); /* stores to F's first page through the mapping */

#endif
