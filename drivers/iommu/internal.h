/* SPDX-License-Identifier: MIT */
/* What the files of the IOMMU driver share with each other and with nobody else. */
#ifndef DRIVERS_IOMMU_INTERNAL_H
#define DRIVERS_IOMMU_INTERNAL_H

#include "drivers/iommu/iommu.h"
#include "mm/mm.h"

/* ---- slpt.c, slpt_map.c: second-level page tables --------------------------------------------
 *
 * From bus addresses to physical ones: 512 entries of 64 bits a table, as in the CPU's, but bit 0
 * means "may be read" and bit 1 "may be written"; an entry without either leads nowhere. An entry
 * with bit 7 in a higher table is a page of 2 MiB or 1 GiB.
 *
 * The unit may read memory without looking into the CPU's caches. Then an entry counts only when
 * its line was written back: `written` is called for what changed. A new table is written back,
 * and `ordered` called, before the entry that leads to it, else the unit finds yesterday's bytes
 * behind a fresh entry. Leaves are written back together, by slpt_sync().
 *
 * What goes may be remembered by the unit until an invalidation, a table on the way as well. So a
 * table whose 2 MiB are unmapped as a whole is taken out by one store into the table above, and
 * waits in `dropped` for slpt_settle(), which the caller calls after an invalidation; so does an
 * empty table that a large page takes the place of. One lowest table is kept then, for the next
 * 2 MiB that are mapped as a whole: every entry of it is written before it is reached again.
 * Pure; the caller's lock.
 */
#define SLPT_READ    1u
#define SLPT_WRITE   2u
#define SLPT_RIGHTS  3u
#define SLPT_LARGE   0x80ull
#define SLPT_ENTRIES 512u
#define SLPT_SPAN    (SLPT_ENTRIES * PAGE_SIZE) /* what one lowest table maps */
#define SLPT_ADDRESS 0x000ffffffffff000ull

struct slpt_ground {
	uint64_t (*alloc)(void); /* a frame of zeroes by its physical address; 0: none */
	void (*free)(uint64_t frame);
	uint64_t *(*at)(uint64_t frame);
	void (*written)(const void *from, size_t bytes); /* NULL: the unit looks into caches */
	void (*ordered)(void); /* what was written back before comes before what is after */
};
struct slpt {
	const struct slpt_ground *ground;
	uint64_t root;
	uint64_t limit;	     /* first bus address behind the tables */
	unsigned levels;     /* 3: 39 bits, 4: 48 bits, 5: 57 */
	unsigned large;	     /* bit 0: pages of 2 MiB can be used, bit 1: of 1 GiB */
	uint64_t nr_tables;  /* frames, those of dropped and spare as well */
	uint64_t nr_dropped; /* zero: slpt_settle() has given all back */
	uint64_t dropped; /* the last; its first word leads to the one before it, without rights */
	uint64_t spare;	  /* holds leaves of long ago; 0: none */
	uint64_t last_base; /* the 1 GiB that last_middle is of; of no use while that is NULL */
	uint64_t *last_middle;
	uint64_t *dirty, *dirty_end; /* entries that were changed and not written back; or equal */
};

/* -EINVAL: levels, -ENOMEM. */
int slpt_init(struct slpt *t, const struct slpt_ground *ground, unsigned levels, unsigned large);
/* Everything, mapped or not; nobody walks it any more. */
void slpt_destroy(struct slpt *t);
/* Maps [iova, iova + bytes) to [phys, …), `rights` of SLPT_READ and SLPT_WRITE. -EINVAL (alignment,
 * no bytes, no rights, beyond the width), -EEXIST (something is mapped there), -ENOMEM: nothing is
 * mapped that was not. slpt_sync() before the device is told; with something in `dropped` an
 * invalidation and slpt_settle(). */
int slpt_map(struct slpt *t, uint64_t iova, uint64_t phys, uint64_t bytes, unsigned rights);
/* The same with `nr` pages wherever they are, by their names at `first`, `first + stride`, …: one
 * walk a table, large pages where 2 MiB of them lie together. */
int slpt_map_pages(struct slpt *t, uint64_t iova, const void *first, size_t stride,
		   unsigned long nr, unsigned rights);
/* Clears what is mapped there. -EINVAL: alignment, width, or it would cut a large page; nothing was
 * changed. Then slpt_sync(), invalidation, slpt_settle(). */
static inline int slpt_unmap(struct slpt *t, uint64_t iova, uint64_t bytes);
static inline void slpt_sync(struct slpt *t)
{
	if (t->dirty != t->dirty_end)
		t->ground->written(t->dirty, (size_t)((char *)t->dirty_end - (char *)t->dirty));
	t->dirty = t->dirty_end;
}
void slpt_settle(struct slpt *t); /* gives dropped tables back */
struct slpt_leaf {
	uint64_t iova, phys, bytes; /* of the whole leaf */
	unsigned rights;
};
/* What a device's access would find; false: nothing. */
bool slpt_lookup(const struct slpt *t, uint64_t iova, struct slpt_leaf *leaf);
uint64_t slpt_leaves(const struct slpt *t); /* how many there are: looks at every entry */

/* Of slpt.c for slpt_map.c. */
/* Bytes that one entry of a table of that level maps. */
static inline uint64_t slpt_size(unsigned level)
{
	return 1ull << (12 + 9 * (level - 1));
}
/* Is the table of level 2 for iova the one that is remembered? */
static inline bool slpt_is_last(const struct slpt *t, uint64_t iova)
{
	return t->last_middle && t->last_base == (iova & ~(slpt_size(3) - 1));
}
/* The entry for iova in a table of `level`, 2 or more; tables above it are made with `make`. NULL
 * with *err: 0 (a table is missing), -EEXIST (a large page is in the way), -ENOMEM. */
uint64_t *slpt_entry(struct slpt *t, uint64_t iova, unsigned level, bool make, int *err);
/* A table of zeroes behind an entry that is empty; NULL: no memory. */
uint64_t *slpt_new_below(struct slpt *t, uint64_t *entry);
/* A table whose entries the caller writes, all, before slpt_link(); 0: no memory. */
uint64_t slpt_new_full(struct slpt *t);
void slpt_link(struct slpt *t, uint64_t *entry, uint64_t frame);
/* Entries [from, to) of one table changed. */
void slpt_changed_more(struct slpt *t, uint64_t *from, uint64_t *to); /* and others before */
static inline void slpt_changed(struct slpt *t, uint64_t *from, uint64_t *to)
{
	if (!t->ground->written)
		return;
	if (t->dirty != t->dirty_end) {
		slpt_changed_more(t, from, to);
		return;
	}
	t->dirty = from;
	t->dirty_end = to;
}

/* Takes the table that `entry` leads to out. What the unit remembers of it, it may still find. */
static inline void slpt_drop(struct slpt *t, uint64_t *entry)
{
	uint64_t frame = *entry & SLPT_ADDRESS;

	__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	slpt_changed(t, entry, entry + 1);
	if (t->nr_dropped++)
		__atomic_store_n(t->ground->at(frame), t->dropped, __ATOMIC_RELEASE);
	t->dropped = frame;
}

/* All that is below an entry of level 2. */
static inline void slpt_clear_2m(struct slpt *t, uint64_t *entry)
{
	if (*entry & SLPT_LARGE) {
		__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
		slpt_changed(t, entry, entry + 1);
	} else if (*entry & SLPT_RIGHTS) {
		slpt_drop(t, entry);
	}
}
int slpt_unmap_pieces(struct slpt *t, uint64_t iova, uint64_t bytes); /* any of them */
static inline int slpt_unmap(struct slpt *t, uint64_t iova, uint64_t bytes)
{
	if (bytes != SLPT_SPAN || iova % SLPT_SPAN || !slpt_is_last(t, iova))
		return slpt_unmap_pieces(t, iova, bytes);
	/* The table above is known: then no page of 1 GiB is here, and nothing is cut. */
	slpt_clear_2m(t, &t->last_middle[iova / SLPT_SPAN % SLPT_ENTRIES]);
	return 0;
}

/* ---- iova.c: bus addresses --------------------------------------------------------------------
 *
 * Which bus addresses of a domain are taken. A range is taken from its registration to its
 * deregistration, mapped or not: a translation that was cut early leaves the addresses taken, since
 * the device was not told and still writes there. Were they given to another buffer meanwhile, the
 * old device's bytes would arrive in it.
 *
 * The lowest hole that fits is given out. Storage is the caller's. Pure; the caller's lock.
 */
TAILQ_HEAD(iova_list, iova_range);
struct iova_space {
	struct iova_list list;		/* by ascending start, disjoint */
	uint64_t first, end;		/* pages that may be given out */
	struct iova_range *full_before; /* no hole below its end; NULL: not known of any */
	uint64_t nr, pages;		/* registered; zero: nothing is */
};

void iova_init(struct iova_space *s, uint64_t first, uint64_t end);
/* `pages` at a multiple of `align` (a power of two), below page `limit`. -EINVAL: no pages;
 * -ENOSPC: no hole is large enough. */
int iova_register(struct iova_space *s, struct iova_range *r, uint64_t pages, uint64_t align,
		  uint64_t limit);
/* Exactly [start, start + pages). -EINVAL: no pages, or they reach over the end of all addresses;
 * -EEXIST: a page of it is registered. */
int iova_register_at(struct iova_space *s, struct iova_range *r, uint64_t start, uint64_t pages);
void iova_deregister(struct iova_space *s, struct iova_range *r);
/* The first pages of [*at, end) that are free: *at is moved to them, and their end is the value; 0:
 * there are none. */
uint64_t iova_gap(const struct iova_space *s, uint64_t *at, uint64_t end);
const struct iova_range *iova_find(const struct iova_space *s, uint64_t page); /* NULL: free */

/* ---- vtd_fault.c: what the unit recorded --------------------------------------------------- */

#define VTD_FSTS      0x34  /* 32 bit: fault status; ones clear */
#define VTD_FSTS_PFO  0x01u /* an overflow: faults went unrecorded */
#define VTD_FSTS_PPF  0x02u /* a record is there */
#define VTD_FSTS_IQE  0x10u /* the queue of invalidations holds what the unit does not know */
#define VTD_FAULT_LOG 32u

struct vtd_fault {
	uint64_t address; /* bus address, of the page */
	uint64_t at_ns;
	uint16_t source; /* bus << 8 | dev << 3 | fn, as the unit saw it */
	uint8_t reason;
	bool read;
};
struct vtd_fault_log {
	uint64_t seen;	    /* faults recorded since boot; the last VTD_FAULT_LOG are kept */
	uint64_t overflows; /* times that the unit had no record left; zero: none was lost so */
	struct vtd_fault last[VTD_FAULT_LOG]; /* by number modulo VTD_FAULT_LOG */
};
/* A unit's registers: by the kernel's accessors, or by a test's model. */
struct vtd_regs {
	uint32_t (*read32)(void *ctx, unsigned off);
	void (*write32)(void *ctx, unsigned off, uint32_t v);
	void *ctx;
};
/* Takes all records (`nr` of them at offset `at`) into the log, oldest first, and clears the unit's
 * status. How many there were. The caller's lock. */
unsigned vtd_fault_take(const struct vtd_regs *regs, unsigned at, unsigned nr, uint64_t now,
			struct vtd_fault_log *log);
/* The next line that is to be told of a log, of which `told` faults and `told_overflows` were:
 * true, and these count it. False: everything was. `name` as iommu_source_name(). */
bool vtd_fault_next(const struct vtd_fault_log *log, uint64_t *told, uint64_t *told_overflows,
		    void (*name)(uint16_t source, char *buf, size_t size), char *line, size_t size);
/* "write to 0x8000000: no mapping lets it write there (reason 5)" */
void vtd_fault_text(const struct vtd_fault *f, char *buf, size_t size);

/* ---- dmar_boot.c */

/* A test's table takes the place of the machine's, for devices that are attached from now on; its
 * units are where the machine's are. The one before. */
const struct dmar *dmar_divert(const struct dmar *other);

/* ---- vtd.c, vtd_invalidate.c: one unit ----------------------------------------------------- */

enum {
	VTD_VER = 0x00,
	VTD_CAP = 0x08,
	VTD_ECAP = 0x10,
	VTD_GCMD = 0x18,
	VTD_GSTS = 0x1c,
	VTD_RTADDR = 0x20,
	VTD_CCMD = 0x28,
	VTD_FECTL = 0x38,
	VTD_FEDATA = 0x3c,
	VTD_FEADDR = 0x40,
	VTD_FEUADDR = 0x44,
	VTD_IQT = 0x88,
	VTD_IQA = 0x90,
};
#define VTD_TE	 (1u << 31) /* of GCMD, and of GSTS */
#define VTD_SRTP (1u << 30)
#define VTD_WBF	 (1u << 27)
#define VTD_QIE	 (1u << 26)

struct vtd {
	char name[8];
	const struct dmar_unit *unit;
	volatile uint8_t *regs;
	uint64_t cap, ecap;
	const char *refused; /* why it is not used; NULL: it translates */
	unsigned levels, large, width;
	bool queued, caching; /* caching: absent entries are remembered, too */
	bool holds_back;      /* writes of tables, until it is told */
	bool odd;	      /* holds_back, or dead: the look that an invalidation takes first */
	bool drains;	      /* an invalidation can wait for accesses under way */
	int most_order;	      /* one can be for 2^n pages, up to this n; -1: for none */
	struct spinlock lock; /* irq-safe; all below */
	uint32_t state;	      /* what GCMD is to hold: it takes everything at each write */
	uint64_t *root;
	uint64_t (*queue)[2]; /* VTD_QUEUE descriptors, then the word that waits are told by */
	uint64_t status;      /* that word's physical address */
	unsigned tail;	      /* even */
	uint32_t waits;
	uint64_t invalidations; /* since boot, each waited for */
	/* It does not answer, and how: no device behind it masters the bus any more. NULL: it does.
	 * Set once; read without the lock. */
	const char *dead;
	bool dead_told; /* at the prompt */
	uint16_t next_domain;
	int vector;
	struct vtd_fault_log log;
	uint64_t told, told_overflows; /* what of the log was printed */
#ifdef EXPLORE
	/* A scenario's unit, whose registers are memory: called behind each store to one. NULL:
	 * there is a unit. */
	void (*model)(unsigned off, uint64_t v);
#endif
};
#define VTD_QUEUE 256u /* descriptors: a frame, the smallest queue there is */

extern const struct slpt_ground vtd_snooped, vtd_unsnooped;
struct vtd *vtd_nth(unsigned n);		  /* NULL behind the last */
struct vtd *vtd_of(const struct dmar_unit *unit); /* NULL: that unit is not used */
#ifdef HOST_TEST				  /* a test's model of the registers */
uint32_t vtd_read32(const struct vtd *u, unsigned off);
uint64_t vtd_read64(const struct vtd *u, unsigned off);
void vtd_write32(const struct vtd *u, unsigned off, uint32_t v);
void vtd_write64(const struct vtd *u, unsigned off, uint64_t v);
#else
static inline uint32_t vtd_read32(const struct vtd *u, unsigned off)
{
	return *(volatile uint32_t *)(u->regs + off);
}
static inline uint64_t vtd_read64(const struct vtd *u, unsigned off)
{
	return *(volatile uint64_t *)(u->regs + off);
}
static inline void vtd_write32(const struct vtd *u, unsigned off, uint32_t v)
{
	*(volatile uint32_t *)(u->regs + off) = v;
}
static inline void vtd_write64(const struct vtd *u, unsigned off, uint64_t v)
{
	*(volatile uint64_t *)(u->regs + off) = v;
#ifdef EXPLORE
	if (u->model)
		u->model(off, v);
#endif
}
#endif
/* Until (GSTS & mask) == want; false: not within a second. */
bool vtd_wait_status(const struct vtd *u, uint32_t mask, uint32_t want);
/* Bytes that the unit reads were changed. */
static inline void vtd_written(const struct vtd *u, const void *from, size_t bytes)
{
	if (!(u->ecap & 1))
		cache_writeback(from, bytes);
}
/* Puts the device with that requester id into a domain (id, page tables), or takes it out (t NULL),
 * and makes the unit forget what it knew. -ENOMEM: no table for its bus. */
int vtd_set_context(struct vtd *u, uint16_t requester, uint16_t id, const struct slpt *t);
/* The unit forgets: everything; all of a domain; [iova, iova + bytes) of it. Waits until it has,
 * and until accesses under way have arrived. Of a unit that does not answer within a second
 * (u->dead) all devices are stopped instead: afterwards, too, nobody reaches what was mapped.
 * vtd_forget_all(): any context; vtd_forget(): interrupts are off. */
void vtd_forget_all(struct vtd *u);
void vtd_forget(struct vtd *u, uint16_t id, uint64_t iova, uint64_t bytes);
/* Turns the queue on; false: the unit does not do it, registers are left. */
bool vtd_queue_start(struct vtd *u);
void vtd_take_faults(struct vtd *u); /* into its log. Any context */

/* ---- domain.c: domains, for reports and tests */

/* No function behind the unit masters the bus any more, what it had sent has arrived, and its
 * domain gives no bus addresses out. Any context. */
void vtd_stop_devices(const struct vtd *u);

struct iommu_domain {
	struct vtd *unit;
	uint16_t id, requester; /* as the unit sees its accesses */
	unsigned users;		/* devices: behind a bridge several have one requester id */
	struct spinlock lock;	/* irq-safe; all below */
	struct slpt tables;
	struct iova_space space;
	struct iova_range *kept; /* bus addresses that are never given out */
	unsigned nr_kept;
	TAILQ_HEAD(, dma_mapping) list;
	TAILQ_ENTRY(iommu_domain) link;
};
TAILQ_HEAD(dma_device_list, dma_device);
extern struct dma_device_list dma_devices; /* constant after boot */
/* "edu0 (00:02.0)", or where an unknown requester would be. */
void iommu_source_name(uint16_t source, char *buf, size_t size);

#endif
