/* SPDX-License-Identifier: MIT */
/*
 * memremap: a device's memory gets page records, and loses them again.
 *
 * A pgmap is the claim of one owner on ranges of pfns. It lives as long as its reference: taken by
 * whoever looked it up (pgmap_get), killed and drained by memunmap_pages(). The reference is a
 * counter per CPU, so a lookup writes no shared line; killing folds the counters into one.
 * Rules: spec of memremap_pages in Linux 6.1 (mm/memremap.c), restated.
 */
#ifndef MM_MEMREMAP_H
#define MM_MEMREMAP_H

/* A reference that is cheap to take and can be killed. Zero of the sum means: nobody, may be freed. */
struct percpu_ref {
	struct {
		int64_t n;
		uint64_t pad[7]; /* a cache line each: no CPU writes another's */
	} cpu[MAX_CPUS];
	int64_t shared;	 /* the one counter after the kill */
	bool dying, folded;
};
void percpu_ref_init(struct percpu_ref *r); /* value 1: the owner's */
bool percpu_ref_tryget_live(struct percpu_ref *r); /* false: dying. Any context */
void percpu_ref_put(struct percpu_ref *r);	   /* wakes the drain at zero. Any context */
/* No new references; gives the owner's back. Sleepable. */
void percpu_ref_kill(struct percpu_ref *r);
void percpu_ref_drain(struct percpu_ref *r); /* after kill; sleeps; woken by: the last put */
int64_t percpu_ref_sum(struct percpu_ref *r); /* for reports: exact only while nobody moves */

enum pgmap_type { PGMAP_FS_DAX = 3, PGMAP_GENERIC = 4 };
#define PGMAP_MAX_RANGES 4

struct pgmap_range {
	uint64_t start, end; /* pfns, [start, end) */
	struct pgmap *pgmap;
	RB_ENTRY(pgmap_range) node;
};
struct pgmap_ops {
	/* The reference count came back to rest. Any context, interrupts included; must not sleep. */
	void (*page_idle)(struct page *p);
};
struct pgmap {
	enum pgmap_type type;
	const char *name;
	int node; /* proximity domain */
	unsigned nr_range;
	struct pgmap_range range[PGMAP_MAX_RANGES];
	struct percpu_ref ref;
	bool live;
	/* Changed only while every record is at rest (a mount with another lifetime). */
	uint32_t rest;		     /* reference count of a page nobody holds: 0 or 1 */
	bool mapped_holds;	     /* a mapping keeps a page from rest as a reference does */
	const struct pgmap_ops *ops; /* NULL: nobody wants to know */
	void *owner;		     /* who claimed it (a mounted file layer); NULL: nobody */
};

/*
 * Preconditions: sleepable; type, name, node, nr_range and range[].start/end filled, the rest zero.
 * Checks everything, then maps the ranges into the direct map and enters them in the tree.
 * 0, or (nothing changed; *why, if not NULL, is the sentence): -EINVAL no range, empty range, bad
 * type, not 2 MiB aligned, beyond MAX_PHYS_BITS; -ENOMEM another pgmap anywhere in the span, or no
 * memory; -ENXIO overlaps RAM.
 */
int memremap_pages(struct pgmap *pgmap, const char **why);
/* Kills and drains the reference, then takes records and mappings away. Sleeps; woken by: the last
 * percpu_ref_put(). Precondition: no address space maps the ranges any more. */
void memunmap_pages(struct pgmap *pgmap);
/* The pgmap of a pfn with a reference, or NULL: none or dying. Give back by pgmap_put(). Any context. */
struct pgmap *pgmap_get(uint64_t pfn);
void pgmap_put(struct pgmap *pgmap);
/* True if the pfn has (or may get) a record: it lies in a live pgmap. Any context. */
bool pfn_is_device(uint64_t pfn);
void pgmap_for_each(int (*fn)(struct pgmap *, void *), void *arg);
/* Makes `rest` the resting count of every record of the pgmap that exists. -EBUSY if one is not at
 * rest (*busy tells which), then nothing changed. Caller excludes faults and gup (nothing mounted). */
int pgmap_set_rest(struct pgmap *pgmap, uint32_t rest, struct page **busy);

#endif
