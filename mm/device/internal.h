/* SPDX-License-Identifier: MIT */
/* What memremap*.c, pgmap_lookup.c and records.c share with each other and with nobody else. */
#ifndef MM_DEVICE_INTERNAL_H
#define MM_DEVICE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/mm.h"
#include "kernel/sched/sched.h"

#define SUBSECTION_PAGES (PMD_SIZE >> PAGE_SHIFT)
#define SECTION_PAGES	 (64 * SUBSECTION_PAGES) /* 128 MiB */

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
/* NULL: no record, or never touched. */
struct page *pgmap_pfn_to_record(const struct pgmap *pgmap, uint64_t pfn);
int records_for_each(const struct pgmap *pgmap, uint64_t pfn, uint64_t nr,
		     int (*fn)(struct page *, void *), void *arg);
/* Makes the record of a frame of RAM, for ram_pgmap: that is in no table. 0 or -ENOMEM. */
int record_populate_ram(struct pgmap *ram, uint64_t pfn);
/* Gives all record frames of a dead pgmap back, to RAM or to its altmap. */
void records_free(struct pgmap *pgmap);
/* First pfn of the range that has a record: behind the altmap. */
static inline uint64_t pgmap_first_pfn(const struct pgmap *pgmap, const struct pgmap_range *r)
{
	return pgmap_has_altmap(pgmap) ? altmap_first_pfn(&pgmap->altmap) : r->start;
}

/* page.c: takes the reference that a record at rest 1 began with, and the pgmap's wait for the page
 * if somebody still holds it. Of a dying pgmap, once per record. */
void page_drop_initial(struct page *p);

/*
 * A table of ranges that do not overlap, sorted by address: "whose number is this?".
 *
 * Plain data and pure functions, so the same code runs on the host under sanitizers. Who may read
 * while somebody writes is not decided here but by pgmap_lookup.c, which keeps two tables.
 */

#define RANGES_MAX 512

struct range_entry {
	uint64_t start, end; /* [start, end), not empty */
	void *owner;
};
struct range_table {
	unsigned nr; /* zero means: no range */
	struct range_entry r[RANGES_MAX];
};

/* The first range that has something in common with [start, end), which is not empty; or NULL. */
const struct range_entry *range_find(const struct range_table *t, uint64_t start, uint64_t end);
/* False, and nothing changed: the range is empty, overlaps another, or the table is full. */
bool range_insert(struct range_table *t, uint64_t start, uint64_t end, void *owner);
unsigned range_remove(struct range_table *t, const void *owner); /* all of that owner; how many */
void range_copy(struct range_table *to, const struct range_table *from);
/* Bit i is set if [start + i * unit, start + (i + 1) * unit) has something in common with a range:
 * 64 units from `start` on. */
uint64_t range_bits(const struct range_table *t, uint64_t start, uint64_t unit);

/*
 * What the self-tests of memremap share: device memory to try things on.
 *
 * Binding and records touch no byte of the device, so most tests use physical addresses where
 * nothing is (`fake`). Where a device's own bytes matter, a test stands in tests/kernel, whose
 * scratch device it takes.
 */

/* FS_DAX, rest 1, one range of `mib` MiB at `offset_mib` MiB of 16 GiB near the top of what the CPU
 * can name, where nothing is; not bound. */
struct pgmap fake_pgmap(int64_t offset_mib, uint64_t mib);
/* The same as GENERIC with compound records. */
struct pgmap fake_compound(int64_t offset_mib, uint64_t mib, unsigned shift);
/* A bound one of 2 MiB, with records at its start of which the first is *page. 0 or errno. */
int fake_bound(struct pgmap *p, uint32_t rest, const struct pgmap_ops *ops, struct page **page);
/* Frames that are free, or that stay for the next time: tables of the kernel's half, the C heap's,
 * which takes new ones while what was freed rests (debug build), slabs', ended threads' stacks. */
uint64_t frames_kept(void);
/* A thread that is in memunmap_pages(). */
struct thread *start_unmap(struct pgmap *pgmap);

#endif
