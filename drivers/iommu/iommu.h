/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU: what a device may reach, and how that is taken back.
 *
 * A device writes to memory by itself, at addresses that a driver told it: bus addresses. Between
 * them and memory stands a unit (Intel's VT-d) that looks each up in page tables of the device's
 * domain, much as a CPU does with virtual addresses. So a driver can be told a bus address today
 * and have it taken back tomorrow: what the device still writes then reaches nothing, and is
 * recorded as a fault.
 *
 * Which units there are, and which devices each of them stands in front of, is told by an ACPI
 * table, the DMAR. It is judged like the NFIT, but more strictly: a table that is damaged anywhere
 * is refused as a whole. A NFIT cut short loses memory; a DMAR cut short may lose the one line that
 * says what a device must go on reaching. Without a usable table nothing is translated, and bus
 * addresses are physical ones.
 *
 * Source: Intel Virtualization Technology for Directed I/O, chapter 8 (DMAR).
 */
#ifndef DRIVERS_IOMMU_IOMMU_H
#define DRIVERS_IOMMU_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/acpi/acpi.h"
#include "drivers/pci/pci.h"
#include "mm/mm.h"

#define DMAR_HEADER	  48u	      /* ACPI header, address width, flags, 10 reserved bytes */
#define DMAR_MAX_LENGTH	  (64u << 10) /* a longer table is not believed */
#define DMAR_MAX_UNITS	  16u
#define DMAR_MAX_RESERVED 16u
#define DMAR_MAX_SCOPES	  256u
#define DMAR_MAX_PATH	  6u /* bridges on the way to a device, itself included */
#define DMAR_TEXT	  160

enum dmar_verdict { DMAR_ACCEPTED, DMAR_IGNORED, DMAR_REJECTED };

enum dmar_scope_kind {
	DMAR_ENDPOINT = 1,
	DMAR_BRIDGE = 2, /* and everything behind it */
	DMAR_IOAPIC = 3,
	DMAR_HPET = 4,
	DMAR_NAMED = 5, /* a device of the ACPI namespace */
};

/* One device that a structure is about: the way to it from `bus`, one step a bridge. */
struct dmar_scope {
	uint8_t kind, id; /* id: of an IOAPIC, HPET or named device */
	uint8_t bus, depth;
	struct {
		uint8_t dev, fn;
	} path[DMAR_MAX_PATH];
};

/* A remapping unit. */
struct dmar_unit {
	uint64_t base;	  /* of its registers */
	uint64_t size;	  /* bytes of them: 4 KiB or more */
	uint16_t segment; /* of PCI */
	bool all;	  /* every device of the segment that no other unit has */
	unsigned first, nr_scopes;
	enum dmar_verdict verdict;
	char reason[DMAR_TEXT]; /* why it is not accepted */
};

/* Memory that the firmware's own devices go on using: mapped as it is for whoever is named. */
struct dmar_reserved {
	uint64_t base, len;
	uint16_t segment;
	unsigned first, nr_scopes;
	enum dmar_verdict verdict;
	char reason[DMAR_TEXT];
};

struct dmar {
	enum dmar_verdict verdict;
	int error; /* 0, or the negative errno of the refusal */
	char reason[DMAR_TEXT];
	uint32_t length;
	uint8_t revision, sum, flags; /* flags bit 0: interrupts can be remapped, too */
	unsigned width;		      /* bits of an address that a device can name */
	char oem[7], oem_table[9];
	unsigned nr_units, nr_reserved, nr_scopes,
		nr_other; /* other: structures that are skipped */
	struct dmar_unit unit[DMAR_MAX_UNITS];
	struct dmar_reserved reserved[DMAR_MAX_RESERVED];
	struct dmar_scope scope[DMAR_MAX_SCOPES];
	struct notes notes;
};

struct dmar_range {
	uint64_t base, len;
};
/* What a table is judged against. */
struct dmar_env {
	const struct dmar_range *ram; /* neither registers nor reserved memory may lie there */
	unsigned nr_ram;
	unsigned phys_bits; /* of this CPU; 0 means 52 */
};

/*
 * Parse one table of `avail` readable bytes into *d, which is overwritten; keeps no pointer into
 * them. 0, or -EINVAL (length, signature, checksum, width, a structure that cannot be, none that
 * is a unit), -E2BIG (more than there is room for): DMAR_REJECTED, d->reason says why and nothing
 * of the table is left. Pure; any context.
 */
int dmar_parse(struct dmar *d, const void *bytes, size_t avail, const struct dmar_env *env);

/* How PCI buses hang together, asked while a path is followed. */
struct dmar_buses {
	/* The bus behind a bridge; negative: there is no such bridge. */
	int (*behind)(uint8_t bus, uint8_t dev, uint8_t fn);
	/* The bridge that a bus is behind, as bus << 8 | dev << 3 | fn; negative: none. */
	int (*above)(uint8_t bus);
};
/* The accepted unit in front of a device of segment 0; NULL: none, it is not translated. Pure. */
const struct dmar_unit *dmar_unit_of(const struct dmar *d, uint8_t bus, uint8_t dev, uint8_t fn,
				     const struct dmar_buses *buses);
/* Is reserved memory r for that device? Pure. */
bool dmar_reserved_for(const struct dmar *d, const struct dmar_reserved *r, uint8_t bus,
		       uint8_t dev, uint8_t fn, const struct dmar_buses *buses);

typedef void dmar_out_fn(void *ctx, const char *line); /* one line, without a line end */
/* "DMAR: rejected: checksum 0x13 (expected sum 0)" into buf. */
void dmar_verdict_line(const struct dmar *d, char *buf, size_t size);
/* The verdict line and everything below it, in words. */
void dmar_print(const struct dmar *d, dmar_out_fn *out, void *ctx);

/* ---- what was found at boot: dmar_boot.c */

/* The machine's table, whatever its verdict; NULL: there is none. Constant after INIT_BUS. */
const struct dmar *dmar_get(void);

/* ---- dma.c: what a driver asks for ------------------------------------------------------------
 *
 * A device that does DMA is an object with a domain, or with the reason why it has none: then its
 * bus addresses are physical ones, and what it was told once it can reach for ever. The caller does
 * not see the difference but for dma_cut().
 *
 * The order, for pages that somebody else may take back: pin the pages, map, tell the device; the
 * device has finished, unmap, unpin. After dma_unmap() returned nothing of the mapping is known to
 * the unit any more, and writes that were under way have arrived.
 */
enum dma_direction {
	DMA_TO_DEVICE = 1,   /* the device reads */
	DMA_FROM_DEVICE = 2, /* the device writes */
	DMA_BOTH = 3
};

struct iommu_domain;
struct dma_device {
	char name[8]; /* of its driver, "edu0" */
	const struct pci_device *pci;
	struct iommu_domain *domain; /* NULL: bus addresses are physical */
	const char *direct;	     /* domain is NULL: why */
	uint64_t mappings;	     /* registered, atomic; zero: it was told of no memory */
	TAILQ_ENTRY(dma_device) link;
};
/* A device that is no PCI function, of a test: bus addresses are physical. */
#define DMA_DIRECT(name_)                                                                          \
	{                                                                                          \
		.name = name_, .direct = "it is a model in memory"                                 \
	}

/* Bus addresses that are taken, in pages; equal: none. */
struct iova_range {
	uint64_t start, end;
	TAILQ_ENTRY(iova_range) link;
};

/* One piece of memory that a device may reach. Storage is the caller's, from dma_map() to
 * dma_unmap(). */
struct dma_mapping {
	const char *what;	/* who has it, for reports; set by the caller before, may be NULL */
	struct dma_device *dev; /* NULL: not mapped */
	enum dma_direction dir;
	unsigned long nr; /* pages */
	/* Where they are: by names, one every `stride` bytes, or (NULL) from `pfn` on. */
	const void *pages;
	size_t stride;
	uint64_t pfn;
	uint64_t bus;		 /* of the first; there is a domain: the others follow */
	struct iova_range range; /* bus addresses that are registered */
	bool cut;		 /* registered, and reaches nothing any more */
	TAILQ_ENTRY(dma_mapping) link;
};

/*
 * Makes `dev` the DMA side of a claimed function, with a domain if a unit stands before it and
 * `translated`; false is for a device whose accesses pass the unit by. `name` is copied. Boot.
 * 0, or -ENOMEM; with a sentence, -ENOSPC: the unit has no more domains; -EINVAL: memory that the
 * firmware reserved for it is beyond its address bits; -EBUSY: another device of the domain has a
 * part of that; -EIO: the unit is of no use any more.
 */
int dma_attach(struct dma_device *dev, const struct pci_device *pci, const char *name,
	       bool translated);
/* The reverse, when nothing is mapped and the device does not master the bus. Boot. */
void dma_detach(struct dma_device *dev);

/*
 * Lets the device reach `nr` pages, each named by one of `pages` (a reference or a pin is the
 * caller's until dma_unmap(), and so is the array). m->bus is where the device finds the first,
 * dma_bus() any. Any context. 0; -EINVAL: no pages; -ENOSPC: no bus addresses are left; -ENOMEM.
 */
int dma_map(struct dma_device *dev, struct dma_mapping *m, struct page *const *pages,
	    unsigned long nr, enum dma_direction dir);
/* The same with the names at `first`, `first + stride`, … */
int dma_map_strided(struct dma_device *dev, struct dma_mapping *m, struct page *const *first,
		    size_t stride, unsigned long nr, enum dma_direction dir);
/* The same with `nr` pages that lie side by side from `first` on, in memory and by their names. */
int dma_map_range(struct dma_device *dev, struct dma_mapping *m, struct page *first,
		  unsigned long nr, enum dma_direction dir);
/* dma_map() with the first bus address chosen by the caller: a page's, that nobody has. -EEXIST: it
 * or one behind it is taken, or is one that is never given out; with refusal() set: -EINVAL (no
 * page's, or beyond what the device can name), -EOPNOTSUPP (there is no domain to choose in). */
int dma_map_at(struct dma_device *dev, struct dma_mapping *m, uint64_t bus,
	       struct page *const *pages, unsigned long nr, enum dma_direction dir);
/*
 * Bus addresses alone, of which none reaches anything: each page comes with dma_fill(), and may go
 * and come again. Of `pages` a name is looked at while its page is filled in; what the device
 * writes to a page that is not is a fault. 0, or as dma_map(); -EOPNOTSUPP with refusal(): there is
 * no domain. Any context.
 */
int dma_map_later(struct dma_device *dev, struct dma_mapping *m, struct page *const *pages,
		  unsigned long nr, enum dma_direction dir);
/* Pages [first, + nr) of it, of which none is filled in, can be reached from now on. 0, -ENOMEM:
 * none of them can. Any context. */
int dma_fill(struct dma_mapping *m, unsigned long first, unsigned long nr);
/* The name of page i. */
struct page *dma_page(const struct dma_mapping *m, unsigned long i);
/* The bus address of page i. */
uint64_t dma_bus(const struct dma_mapping *m, unsigned long i);
/*
 * The translation goes now, the bus addresses stay taken: the device was not told and may still
 * write there, and what it writes is a fault. Afterwards the pages are out of its reach.
 * -EOPNOTSUPP: there is no domain, and refusal() says why: nothing was done. Any context.
 */
int dma_cut(struct dma_mapping *m);
/* A piece of a scatter list: bytes from an address, or from an offset into pages, on. */
struct dma_piece {
	uint64_t offset, len;
};
/* Pages that the pieces lie on; one that two of them lie on counts for each. Pure. */
unsigned long dma_pages(const struct dma_piece *list, unsigned nr);
/* The same for the whole pages that [at, at + bytes) of the mapping touches, filled in or not:
 * bytes, not pages, and none of them for no bytes. -EINVAL: a larger page reaches over an end. */
int dma_cut_bytes(struct dma_mapping *m, uint64_t at, uint64_t bytes);
/* The device knows of it no more: translation and bus addresses go. Any context. */
void dma_unmap(struct dma_mapping *m);

/* Kernel memory that a device shares: rings, buffers. 2^order frames of zeroes at `at`. */
struct dma_memory {
	void *at; /* NULL: none */
	unsigned order;
	struct dma_mapping map;
};
int dma_alloc(struct dma_device *dev, struct dma_memory *mem, unsigned order,
	      enum dma_direction dir);	      /* 0 or as dma_map(). Any context */
void dma_free_memory(struct dma_memory *mem); /* nothing, if there is none */

/* A page of RAM that holds zeroes, by its name; NULL: no memory. Any context. */
struct page *plain_page_alloc(void);
void plain_page_free(struct page *p);
/* The name of the page that kernel memory lies in, for dma_map(). */
struct page *virt_to_page(const void *p);

/* Faults of all units since boot, those counted that are recorded now. Any context. */
uint64_t iommu_faults(void);

#endif
