/* SPDX-License-Identifier: MIT */
/* What the files of the IOMMU driver share with each other and with nobody else. */
#ifndef DRIVERS_IOMMU_INTERNAL_H
#define DRIVERS_IOMMU_INTERNAL_H

#include "drivers/iommu/iommu.h"
#include "mm/mm.h"

/* ---- slpt.c: second-level page tables --------------------------------------------------------
 *
 * From bus addresses to physical ones: 512 entries of 64 bits a table, as in the CPU's, but bit 0
 * means "may be read" and bit 1 "may be written"; an entry without either leads nowhere. An entry
 * with bit 7 in a higher table is a page of 2 MiB or 1 GiB.
 *
 * The unit may read memory without looking into the CPU's caches. Then an entry counts only when
 * its line was written back: `written` is called for what changed, a new table before the entry
 * that leads to it, else the unit finds yesterday's bytes behind a fresh entry. Leaves are written
 * back together, by slpt_sync().
 *
 * A table stays where it is when its last entry goes: the unit may still remember the way to it.
 * Only a large page takes the place of an empty table, which is then in `dropped` until
 * slpt_settle(), which the caller calls after an invalidation. Pure; the caller's lock.
 */
#define SLPT_READ    1u
#define SLPT_WRITE   2u
#define SLPT_LARGE   0x80ull
#define SLPT_DROPPED 8u

struct slpt_ground {
	uint64_t (*alloc)(void); /* a frame of zeroes by its physical address; 0: none */
	void (*free)(uint64_t frame);
	uint64_t *(*at)(uint64_t frame);
	void (*written)(const void *from, size_t bytes); /* NULL: the unit looks into caches */
};
struct slpt {
	const struct slpt_ground *ground;
	uint64_t root;
	unsigned levels; /* 3: 39 bits, 4: 48 bits, 5: 57 */
	unsigned large;	 /* bit 0: pages of 2 MiB can be used, bit 1: of 1 GiB */
	uint64_t nr_tables, nr_leaves;
	unsigned nr_dropped;
	uint64_t dropped[SLPT_DROPPED];
	uint64_t last_base; /* the 2 MiB that last_table is of; of no use while that is NULL */
	uint64_t *last_table;
	uint64_t *dirty, *dirty_end; /* leaves that were changed and not written back; or equal */
};

/* -EINVAL: levels, -ENOMEM. */
int slpt_init(struct slpt *t, const struct slpt_ground *ground, unsigned levels, unsigned large);
/* Everything, mapped or not; nobody walks it any more. */
void slpt_destroy(struct slpt *t);
/* Maps [iova, iova + bytes) to [phys, …), `rights` of SLPT_READ and SLPT_WRITE. -EINVAL (alignment,
 * no bytes, no rights, beyond the width), -EEXIST (something is mapped there), -ENOMEM: nothing was
 * changed. slpt_sync() before the device is told. */
int slpt_map(struct slpt *t, uint64_t iova, uint64_t phys, uint64_t bytes, unsigned rights);
/* Clears what is mapped there; value: leaves cleared. -EINVAL: alignment, width, or it would cut a
 * large page; nothing was changed. Then slpt_sync(), invalidation, slpt_settle(). */
int64_t slpt_unmap(struct slpt *t, uint64_t iova, uint64_t bytes);
void slpt_sync(struct slpt *t);
void slpt_settle(struct slpt *t); /* gives dropped tables back */
struct slpt_leaf {
	uint64_t iova, phys, bytes; /* of the whole leaf */
	unsigned rights;
};
/* What a device's access would find; false: nothing. */
bool slpt_lookup(const struct slpt *t, uint64_t iova, struct slpt_leaf *leaf);
uint64_t slpt_limit(const struct slpt *t); /* first bus address behind the tables */

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
/* "write to 0x8000000: no mapping lets it write there (reason 5)" */
void vtd_fault_text(const struct vtd_fault *f, char *buf, size_t size);

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
	struct spinlock lock; /* irq-safe; all below */
	uint32_t state;	      /* what GCMD is to hold: it takes everything at each write */
	uint64_t *root;
	uint64_t (*queue)[2]; /* VTD_QUEUE descriptors, then the word that waits are told by */
	unsigned tail;
	uint32_t waits;
	uint64_t invalidations; /* since boot, each waited for */
	uint16_t next_domain;
	int vector;
	struct vtd_fault_log log;
	uint64_t told; /* faults that were printed */
};
#define VTD_QUEUE 256u /* descriptors: a frame, the smallest queue there is */

extern const struct slpt_ground vtd_snooped, vtd_unsnooped;
struct vtd *vtd_nth(unsigned n);		  /* NULL behind the last */
struct vtd *vtd_of(const struct dmar_unit *unit); /* NULL: that unit is not used */
uint32_t vtd_read32(const struct vtd *u, unsigned off);
uint64_t vtd_read64(const struct vtd *u, unsigned off);
void vtd_write32(const struct vtd *u, unsigned off, uint32_t v);
void vtd_write64(const struct vtd *u, unsigned off, uint64_t v);
/* Until (GSTS & mask) == want; false: not within a second. */
bool vtd_wait_status(const struct vtd *u, uint32_t mask, uint32_t want);
/* Bytes that the unit reads were changed. */
void vtd_written(const struct vtd *u, const void *from, size_t bytes);
/* Puts the device with that requester id into a domain (id, page tables), or takes it out (t NULL),
 * and makes the unit forget what it knew. -ENOMEM: no table for its bus. */
int vtd_set_context(struct vtd *u, uint16_t requester, uint16_t id, const struct slpt *t);
/* The unit forgets: everything; all of a domain; [iova, iova + bytes) of it. Waits until it has,
 * and until accesses under way have arrived. A unit that does not answer within a second is a
 * panic: memory would be given away that a device still reaches. Any context. */
void vtd_forget_all(struct vtd *u);
void vtd_forget(struct vtd *u, uint16_t id, uint64_t iova, uint64_t bytes);
/* Turns the queue on; false: the unit does not do it, registers are left. */
bool vtd_queue_start(struct vtd *u);
void vtd_take_faults(struct vtd *u); /* into its log. Any context */

/* ---- dma.c: domains, for reports and tests */

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
