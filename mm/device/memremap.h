/* SPDX-License-Identifier: MIT */
/*
 * memremap: a device's memory gets page records, and loses them again.
 *
 * A pgmap is the claim of one owner on ranges of pfns. It lives as long as its reference: taken by
 * whoever looked it up (pgmap_get), killed and drained by memunmap_pages(). The reference is a
 * counter per CPU, so a lookup writes no shared line; killing folds the counters into one.
 * Rules: those of memremap_pages() in Linux 6.1 (its memremap.c), restated.
 */
#ifndef MM_DEVICE_MEMREMAP_H
#define MM_DEVICE_MEMREMAP_H

#include <stdint.h>

/*
 * A reference that is cheap to take and can be killed. Zero of the sum means: nobody, may be freed.
 * Its phase is the one place that says whether what it counts for is coming, there, or leaving; it
 * goes from one to the next, and from the last to none by a new beginning:
 *
 *     NONE → LIVE      percpu_ref_init(): from now on a look-up may take one
 *     LIVE → DYING     percpu_ref_kill(): nobody gets one by look-up any more
 *     DYING → FOLDED   percpu_ref_kill(): every CPU's count is in the one counter
 */
enum ref_phase {
	REF_NONE, /* as in zeroed memory: nothing is there, or it is still being made */
	REF_LIVE,
	REF_DYING,
	REF_FOLDED,
};
struct percpu_ref {
	struct {
		int64_t n;
		uint64_t pad[7]; /* a cache line each: no CPU writes another's */
	} cpu[MAX_CPUS];
	int64_t shared;	      /* the one counter after the kill */
	enum ref_phase phase; /* atomic */
};
/* Value 1: the owner's. Cannot fail: it is embedded. Live when it returns, and not before all else
 * is set: whoever finds it earlier gets none. */
void percpu_ref_init(struct percpu_ref *r);
static inline enum ref_phase percpu_ref_phase(const struct percpu_ref *r)
{
	return __atomic_load_n(&r->phase, __ATOMIC_ACQUIRE);
}
bool percpu_ref_tryget_live(struct percpu_ref *r); /* false: not live. Any context */
/* The same of a dying one as well, as long as somebody else still holds it. false: nobody does, and
 * what it counts for is going or gone. Any context. */
bool percpu_ref_tryget(struct percpu_ref *r);
bool percpu_ref_is_used_up(const struct percpu_ref *r); /* killed, and nobody is left: for ever */
/* One more, by somebody who holds one or keeps the owner from killing it. Any context. */
void percpu_ref_get(struct percpu_ref *r);
void percpu_ref_put(struct percpu_ref *r); /* wakes the drain at zero. Any context */
void percpu_ref_put_many(struct percpu_ref *r, int64_t n); /* n > 0 of them at once */
/* No new references; gives the owner's back. Sleepable. */
void percpu_ref_kill(struct percpu_ref *r);
void percpu_ref_drain(struct percpu_ref *r);  /* after kill; sleeps; woken by: the last put */
int64_t percpu_ref_sum(struct percpu_ref *r); /* for reports: exact only while nobody moves */

/*
 * altmap: the page records of a device live on the device itself.
 *
 *   base            base + reserve         base + reserve + free                 end of the range
 *   | the driver's own | page records          | pages that have records                |
 *
 * RAM for the records of a very large device may not be there; the device then gives `free` pages
 * of its own for them. Pages before base + reserve + free have no record at all. What is taken is
 * counted in `alloc`, which must be zero again when the device leaves.
 */

struct altmap {
	/* Given by the driver, in pages. */
	uint64_t base_pfn; /* first pfn of the range */
	uint64_t reserve;  /* pages at base that the driver keeps */
	uint64_t free;	   /* pages behind them for records */
	/* Kept by altmap_alloc() and altmap_free(); the caller serialises. */
	uint64_t align; /* pages lost to alignment */
	uint64_t alloc; /* pages that hold records; zero means all are back */
};

/* `nr` pages, a power of two, aligned to their own size. First pfn, or 0: no room, or nr is none.
 */
uint64_t altmap_alloc(struct altmap *a, uint64_t nr);
/* Gives nr pages back. When the last ones are back, all of `free` can be taken again. */
void altmap_free(struct altmap *a, uint64_t nr);
/* First pfn that has a record. */
static inline uint64_t altmap_first_pfn(const struct altmap *a)
{
	return a->base_pfn + a->reserve + a->free;
}

/* Linux's numbers. Zero is none of them, so that a forgotten type is seen. */
enum pgmap_type {
	PGMAP_PRIVATE = 1,  /* the CPU cannot reach it: not built in */
	PGMAP_COHERENT = 2, /* memory of an accelerator: not built in */
	PGMAP_FS_DAX = 3,   /* a file system's, one record per 4 KiB page */
	PGMAP_GENERIC = 4,  /* device-dax, compound records allowed */
	PGMAP_P2PDMA = 5,   /* a PCI device's own memory: not built in */
	PGMAP_RAM = 16,	    /* no device: ram_pgmap alone has it (space.h), memremap refuses it */
};
#define PGMAP_MAX_RANGES   4
#define PGMAP_ALTMAP_VALID 1u /* flags: records are made on the device, see above */

struct pgmap_range {
	uint64_t start, end; /* pfns, [start, end) */
};
struct pgmap_ops {
	/* To who listens. The reference count came back to rest; with mapped_holds, neither a
	 * reference above rest nor a mapping is left: called by whichever put brought the page
	 * there. Interrupts are off, or the caller holds the pgmap, so it stays until this returns;
	 * must not sleep. */
	void (*page_idle)(struct page *p);
	/* A page that page_mark_busy() marked has lost its last holder, or had none: it is the
	 * owner's to give to somebody else. Once per marking, in any context, interrupts included;
	 * must not sleep, nor take a lock that is held with interrupts on. NULL: never marked. */
	void (*page_release)(struct page *record);
	/* PUT_BY_…: kinds of puts that do not call page_idle, as a mistake of the design. */
	unsigned deaf;
};
/* Kinds of puts that some years of Linux told apart. */
#define PUT_BY_UNPIN 1u /* by a holder that pinned; unpin_user_pages() itself never looks */
#define PUT_BY_BIO   2u /* the completion of a block request: bio_put_user_pages() */
struct pgmap {
	/* Given by the driver, constant while bound. */
	enum pgmap_type type;
	unsigned flags;
	const char *name;
	int node; /* proximity domain */
	unsigned nr_range;
	struct pgmap_range range[PGMAP_MAX_RANGES];
	struct altmap altmap;	/* with PGMAP_ALTMAP_VALID */
	unsigned vmemmap_shift; /* log2 of the pages of a record: 0; GENERIC also 9 and 18 */
	/* Changed only while every record is at rest (a mount with another lifetime). */
	uint32_t rest;		 /* reference count of a page nobody holds: 0 or 1 */
	bool mapped_holds;	 /* a mapping keeps a page from rest as a reference does */
	bool forgets_references; /* unbinding waits for no page that is only referenced (C-8, E-2)
				  */
	bool forgets_mappings;	 /* nor for one that is mapped (C-4); at rest 1 none is anyway */
	const struct pgmap_ops *ops; /* NULL: nobody wants to know */
	uint32_t listeners;	     /* pgmap_listen(); zero: page_idle need not be called */
	void *owner;		     /* who claimed it (a mounted file layer); NULL: nobody */

	/* Kept by memremap. */
	struct percpu_ref ref; /* its phase says whether the pgmap is coming, live or leaving */
	uint64_t record_base;  /* window of its records: see page.h */
	struct spinlock altmap_lock; /* protects altmap.alloc, .align and the making of records */
};

/*
 * Preconditions: sleepable, interrupts on; the driver's fields filled, the rest zero. Checks
 * everything, then acts. 0, or, nothing changed and with a sentence (refusal()), in the order in
 * which memremap_check.c looks:
 *   -EINVAL  no range or too many; a type that is not built in or unknown; a vmemmap_shift
 *            that is not 0, 9 or 18, or not 0 for FS_DAX; rest above 1; altmap with several
 *            ranges; an empty range; a range beyond what the CPU can name; a start or end that
 *            is not a multiple of 2 MiB and of the compound; an altmap that does not begin at
 *            the range, does not fit, or cuts a compound
 *   -ENOMEM  another live pgmap anywhere in a range; the table of ranges or the compound slots are
 *            full; an altmap too small for the records; no memory for tables of the direct map
 *   -ENXIO   a range overlaps RAM, wholly or in part
 *   -EBUSY   a range holds something that the kernel has mapped already: device registers, firmware
 *   -EEXIST  the range is still some dying pgmap's, or two ranges of this one overlap
 */
int memremap_pages(struct pgmap *pgmap);
/*
 * Kills the reference, waits, then takes records and mappings away. Sleeps; woken by: the last put.
 * No global lock is held (a panic).
 * What it waits for (I2): every reference by pgmap_get(); at rest 0, every page that is referenced
 * or mapped, since its birth took a reference; at rest 1, every page that is referenced, but not
 * for one that is only mapped: that is Linux 4.17 – 5.17 (docs/weaknesses.md C), with its
 * weaknesses C-4 and C-7, which the callers of such designs have to exclude by unmapping first.
 * With forgets_references and forgets_mappings it waits for no such page: the record goes, and the
 * next put or unmapping would touch memory that is none (C-8, E-2). Precondition: the driver lets
 * nobody in any more (faults, mounts).
 */
void memunmap_pages(struct pgmap *pgmap);
/* The same in its two steps, for who has something to say between them. The drain kills and waits:
 * when it returns nobody holds the pgmap or looks at it any more, and its records are still there.
 * The finish takes them, the mappings and the ranges away; it waits for nobody. */
void memunmap_drain(struct pgmap *pgmap);
void memunmap_finish(struct pgmap *pgmap);
/* Look-ups find it. Any context; what a caller that holds nothing does with that may be too late.
 */
static inline bool pgmap_is_live(const struct pgmap *pgmap)
{
	return percpu_ref_phase(&pgmap->ref) == REF_LIVE;
}
/* Why no device memory can be bound at [start, end), bytes, whose end the CPU can name: the end of
 * a sentence, and its errno in *err (-ENXIO, -EBUSY). NULL: nothing is in the way. Any context. */
const char *memremap_place_taken(uint64_t start, uint64_t end, int *err);

/*
 * page_idle() is called only while somebody listens. A waiter listens first and looks at the count
 * of its page after that, else its waker, which changes the count and then looks for listeners,
 * passes by without a word. The addition is a locked instruction: the full barrier between the two.
 * Any context.
 */
static inline void pgmap_listen(struct pgmap *pgmap)
{
	__atomic_fetch_add(&pgmap->listeners, 1, __ATOMIC_SEQ_CST);
}
static inline void pgmap_unlisten(struct pgmap *pgmap)
{
	uint32_t before = __atomic_fetch_sub(&pgmap->listeners, 1, __ATOMIC_RELAXED);

	ASSERT(before, "nobody listens for puts of %s", pgmap->name);
}

/* ---- lookups: no lock; any context ---------------------------------------------------------- */

/* The pgmap of a pfn with a reference, or NULL: none or dying. Give back by pgmap_put(). */
struct pgmap *pgmap_get(uint64_t pfn);
/* The same for the next pfn of a series: `cached` (NULL, or with a reference) is returned as it is
 * when it covers the pfn, else its reference is given back first. */
struct pgmap *pgmap_get_next(uint64_t pfn, struct pgmap *cached);
void pgmap_put(struct pgmap *pgmap);
/* True from claim to unclaim: a pgmap, living or dying, has this pfn; those that an altmap took
 * from it included. Never true of RAM, which has no records here. */
bool pfn_valid(uint64_t pfn);
/* True if a pgmap that is live has it. */
bool pfn_is_device(uint64_t pfn);
/* True if the pfn has (or may get) a record in this pgmap: inside a range and behind the altmap. To
 * be asked before a record is touched that was found by address. */
bool pgmap_pfn_valid(const struct pgmap *pgmap, uint64_t pfn);
/* Page offset of a pfn in the device: the lengths of the ranges before its own are summed. Must be
 * pfn_valid and the pgmap's. */
uint64_t pgmap_pfn_to_offset(const struct pgmap *pgmap, uint64_t pfn);
/* The 64 sub-sections of 2 MiB of the 128 MiB section `pfn` lies in; a set bit is device memory. */
uint64_t pfn_subsections(uint64_t pfn);
/* In order of address, one call per pgmap, until fn returns nonzero. Sleepable; fn may sleep, but
 * neither bind nor unbind. */
void pgmap_for_each(int (*fn)(struct pgmap *, void *), void *arg);

/*
 * ---- walks: a walker holds what it walks (I2 for observers) ------------------------------------
 *
 * Records leave with their pgmap. Who looks at records of pages that it does not hold (a listing, a
 * check, a search for held pages) keeps them by one of these, from before it asks whether a record
 * exists until it looks at the last one:
 *   - a walk: a reference of the pgmap, for which memunmap_pages() waits;
 *   - interrupts off, if the pgmap was not used up then: memunmap_pages() waits for every CPU
 *     between the last put and the first record that goes;
 *   - being the one without whom the device is not unbound: its driver, the holder of the
 *     region's transition or of device-dax's lock, a mount, a mapping.
 * page_records_for_each() takes a walk by itself. pfn_to_record() asserts one of the first
 * two. The others use page_record_exists(), which asks for nothing and costs nothing.
 */
struct pgmap_walk {
	struct pgmap *pgmap;
	struct pgmap_walk *outer; /* of this thread; NULL: none */
};
/*
 * True: the records that the pgmap of this pfn has stay until pgmap_walk_end(). A dying one is
 * walked like a live one while somebody else holds it, so that a listing can tell for whom the
 * unbinding waits. False: no pgmap, or it is being bound, or nobody holds it any more and its
 * records are going (pfn_valid() tells the first from the others). Short: for as long as it lasts
 * the device cannot leave, so no wait for a user, and no unbinding (memunmap_pages() asserts it).
 * Ends by the same thread; walks nest. Any context.
 */
bool pgmap_walk_begin(struct pgmap_walk *w, uint64_t pfn);
void pgmap_walk_end(struct pgmap_walk *w);
/* Interrupts off. True: device records of this pfn that exist stay until interrupts are on, or it
 * is RAM, whose records never go. */
bool page_records_stay(uint64_t pfn);

/* Where the record that stands for pfn is, in any pgmap, compound or not. It exists once it was
 * populated. */
static inline struct page *pgmap_pfn_to_page(const struct pgmap *pgmap, uint64_t pfn)
{
	return (struct page *)pfn_to_record_va(pgmap->record_base, pgmap->vmemmap_shift, pfn);
}

/* Makes `rest` the resting count of every record of the pgmap that exists. -EBUSY if one is not at
 * rest (*busy tells which), then nothing changed. Caller excludes faults and gup (nothing mounted).
 */
int pgmap_set_rest(struct pgmap *pgmap, uint32_t rest, struct page **busy);

#endif
