/* SPDX-License-Identifier: MIT */
/* What memremap*.c, pgmap_lookup.c and records.c share with each other and with nobody else. */
#ifndef MM_DEVICE_PGMAP_H
#define MM_DEVICE_PGMAP_H

#include "mm/internal.h"
#include "mm/device/ranges.h"

#define SUBSECTION_PAGES (PMD_SIZE >> PAGE_SHIFT)
#define SECTION_PAGES	 (64 * SUBSECTION_PAGES) /* 128 MiB */

/* Formats the sentence into pgmap->refusal; returns err. */
int pgmap_refuse(struct pgmap *pgmap, int err, const char *fmt, ...) __printf(3, 4);
/* memremap_check.c: everything that can be said before anything is done. pgmap_table_lock held. */
int pgmap_check(struct pgmap *pgmap);
static inline bool pgmap_has_altmap(const struct pgmap *pgmap)
{
	return pgmap->flags & PGMAP_ALTMAP_VALID;
}

/* pgmap_lookup.c: the table of ranges. Writers hold the lock around check and change. */
void pgmap_table_lock(void);
void pgmap_table_unlock(void);
const struct range_table *pgmap_table(void);  /* as the holder of the lock sees it */
int pgmap_table_add(struct pgmap *pgmap);     /* all ranges, or -ENOMEM: full. No overlaps */
void pgmap_table_remove(struct pgmap *pgmap); /* when it returns, nobody looks at the pgmap */
/* Interrupts off, and good until they are on again: the first range in [pfn, end), clipped by
 * nobody, or {end, end, NULL}. */
struct range_entry pgmap_range_at(uint64_t pfn, uint64_t end);
/* Returns after every CPU has left what it did with interrupts off. */
void wait_for_readers(void);

/* records.c. The caller keeps the pgmap from leaving: see the walks in memremap.h. */
struct page *record_if_touched(const struct pgmap *pgmap, uint64_t pfn);
int records_for_each(const struct pgmap *pgmap, uint64_t pfn, uint64_t nr,
		     int (*fn)(struct page *, void *), void *arg);
/* Makes the record of a frame of RAM, for ram_pgmap: that is in no table. 0 or -ENOMEM. */
int record_populate_ram(struct pgmap *ram, uint64_t pfn);
/* Gives all record frames of a dead pgmap back, to RAM or to its altmap. */
void records_release(struct pgmap *pgmap);
/* First pfn of the range that has a record: behind the altmap. */
static inline uint64_t pgmap_first_pfn(const struct pgmap *pgmap, const struct pgmap_range *r)
{
	return pgmap_has_altmap(pgmap) ? altmap_first_pfn(&pgmap->altmap) : r->start;
}

/* page.c: takes the reference that a record at rest 1 began with, and the pgmap's wait for the page
 * if somebody still holds it. Of a dying pgmap, once per record. */
void page_drop_initial(struct page *p);

#endif
