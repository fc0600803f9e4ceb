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
struct iova_range {
	uint64_t start, end; /* in pages; equal: not registered */
	TAILQ_ENTRY(iova_range) link;
};
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

/* ---- vtd_fault.c: what the unit recorded ------------------------------------------------------
 */

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
/* One record, as its two halves. */
struct vtd_fault vtd_fault_decode(uint64_t low, uint64_t high);
/* Takes all records (`nr` of them at offset `at`) into the log, oldest first, and clears the unit's
 * status. How many there were. The caller's lock. */
unsigned vtd_fault_take(const struct vtd_regs *regs, unsigned at, unsigned nr, uint64_t now,
			struct vtd_fault_log *log);
/* "write to 0x8000000: no mapping lets it write there (reason 5)" */
void vtd_fault_text(const struct vtd_fault *f, char *buf, size_t size);

#endif
