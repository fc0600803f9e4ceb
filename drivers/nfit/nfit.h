/* SPDX-License-Identifier: MIT */
/*
 * NFIT: the firmware's list of persistent memory (ACPI 6.4, 5.2.25).
 *
 * A table is a heap of structures in any order that refer to each other by number: a range of
 * addresses (SPA), the DIMMs behind it (MEMDEV), who made them (DCR), how their lines interleave,
 * where a store drains their write queues (flush hints), what a power cut leaves (capabilities).
 * A structure may be named before it is defined, so parsing is: collect everything, then resolve.
 *
 * Verdicts are given at the smallest possible place. A table is refused only when its bytes cannot
 * be believed (checksum, a structure of the wrong size, one number with two meanings). A range or
 * a DIMM that makes no sense is refused alone, with a sentence, and the others are used.
 *
 * Pure code: ISO C, malloc and what it is passed. Any context that may call malloc; no locks; a
 * parsed table never changes again, so any number of readers may use it.
 */
#ifndef DRIVERS_NFIT_NFIT_H
#define DRIVERS_NFIT_NFIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/acpi/acpi.h"

#define NFIT_HEADER	40u	   /* ACPI header and 4 reserved bytes */
#define NFIT_MAX_LENGTH (1u << 20) /* more than 5000 DIMMs; a longer table is not believed */
#define NFIT_ALIGN	(2u << 20) /* ranges are trimmed inwards to multiples of this */
#define NFIT_TEXT	160

enum nfit_type {
	NFIT_SPA,
	NFIT_MEMDEV,
	NFIT_INTERLEAVE,
	NFIT_SMBIOS,
	NFIT_DCR,
	NFIT_BDW,
	NFIT_FLUSH,
	NFIT_CAPS,
	NFIT_NR_TYPES,
};

/* Any structure as found: where, and whether the same bytes had been seen before. */
struct nfit_record {
	uint32_t offset; /* in the table */
	uint16_t type, length;
	bool duplicate; /* ignored */
};

enum nfit_kind {
	NFIT_KIND_PM,
	NFIT_KIND_VOLATILE,
	NFIT_KIND_CONTROL,
	NFIT_KIND_BDW,
	NFIT_KIND_VOLATILE_DISK,
	NFIT_KIND_VOLATILE_CD,
	NFIT_KIND_PERSISTENT_DISK,
	NFIT_KIND_PERSISTENT_CD,
	NFIT_KIND_UNKNOWN,
};

enum nfit_verdict {
	NFIT_ACCEPTED,
	NFIT_IGNORED,	/* a range: nothing wrong with it, but not memory we use */
	NFIT_TRUNCATED, /* a table: the structures up to a damaged one are used */
	NFIT_REJECTED,
};

/* Who brings data that left the CPU to the medium when power fails. */
enum nfit_persistence {
	NFIT_PERSIST_UNKNOWN,	 /* no capabilities structure: flush and fence, as for memory
				    controller */
	NFIT_PERSIST_CPU,	 /* CPU caches are flushed too: a fence is enough */
	NFIT_PERSIST_CONTROLLER, /* what left the caches is safe: flush lines, then fence */
};

/* MEMDEV flags. */
#define NFIT_SAVE_FAILED    0x01u
#define NFIT_RESTORE_FAILED 0x02u
#define NFIT_FLUSH_FAILED   0x04u
#define NFIT_NOT_ARMED	    0x08u /* would lose its contents at the next power cut: read-only */
#define NFIT_HEALTH_EVENT   0x10u
#define NFIT_HEALTH_ENABLED 0x20u
#define NFIT_MAP_FAILED	    0x40u

struct nfit_dcr {
	uint16_t index; /* 1.. unique in the table; 0 is reserved */
	uint16_t vendor, device, revision, sub_vendor, sub_device, sub_revision;
	uint16_t date, format, windows;
	uint8_t valid_fields; /* bit 0: location and date mean something */
	uint8_t location;
	uint32_t serial;
	uint64_t window_size, command_offset, command_size, status_offset, status_size;
	uint16_t flags;
};

struct nfit_interleave {
	uint16_t index;
	uint32_t line_count;  /* 1.. */
	uint32_t line_size;   /* bytes */
	const uint8_t *lines; /* line_count little-endian 32-bit numbers, see nfit_line_offset() */
};

struct nfit_bdw {
	uint16_t index, windows;
	uint64_t offset, size, capacity, start;
};

struct nfit_flush {
	uint32_t handle;
	uint32_t count;	 /* usable addresses; zero means a fence is all there is */
	uint64_t *hints; /* physical, 8-byte aligned, not in RAM; a store to one drains the DIMM */
};

/* One DIMM: everything that carries one handle. */
struct nfit_dimm {
	uint32_t handle;
	uint16_t node, socket, controller, channel, dimm; /* the handle, decoded */
	uint16_t physical_id;
	uint32_t flags;			/* of all its MEMDEVs together */
	const struct nfit_dcr *dcr;	/* NULL: the table names none */
	const struct nfit_flush *flush; /* NULL: no flush hints */
	uint16_t missing_dcr;		/* a control region it names that is not there; 0: fine */
};

struct nfit_spa;

/* One DIMM's part in one range. */
struct nfit_memdev {
	uint32_t handle;
	uint16_t physical_id, region_id, range_index, dcr_index, interleave_index, ways, flags;
	uint64_t region_size, region_offset, dpa;
	struct nfit_dimm *dimm;			  /* never NULL in a parsed table */
	struct nfit_spa *spa;			  /* NULL: the DIMM is behind no range */
	const struct nfit_dcr *dcr;		  /* NULL: none named, or missing */
	const struct nfit_interleave *interleave; /* NULL: none named, or missing */
	uint16_t position; /* in the interleave set: order of region_offset */
};

struct nfit_spa {
	uint16_t index, flags;
	uint32_t proximity;
	bool has_proximity, has_location;
	uint8_t guid[16];
	enum nfit_kind kind;
	uint64_t base, length, attributes, location;

	enum nfit_verdict verdict;
	char reason[NFIT_TEXT]; /* why it is not accepted, or what trimming lost; may be empty */
	uint64_t usable_base, usable_length; /* multiples of NFIT_ALIGN; 0, 0 unless accepted */
	uint64_t lost_start, lost_end;	     /* bytes trimmed away */
	struct nfit_memdev *memdev;	     /* nr_memdevs of them, ordered by handle */
	unsigned int nr_memdevs;
	uint32_t health;   /* flags of all its MEMDEVs together */
	bool read_only;	   /* a DIMM is not armed */
	bool translatable; /* nfit_spa_to_dpa() works: the interleave is a partition */
	uint64_t cookie_v11, cookie_v12, cookie_alt; /* 0: labels cannot be used */
	const struct nfit *table;
};

struct nfit {
	const struct nfit *earlier; /* the NFIT parsed before this one, or NULL */
	unsigned int number;	    /* 1 for the first */
	enum nfit_verdict verdict;
	int error; /* 0, or the negative errno of the refusal */
	char reason[NFIT_TEXT];
	uint32_t length;
	uint8_t revision, sum;
	char oem[7], oem_table[9];
	uint8_t *bytes; /* own copy of the table; NULL when it was refused before copying */

	struct nfit_record *records; /* in the order of the table */
	struct nfit_spa *spas;	     /* by index */
	struct nfit_memdev *memdevs; /* by (range_index, handle, region_offset) */
	struct nfit_dimm *dimms;     /* by handle */
	struct nfit_dcr *dcrs;
	struct nfit_interleave *interleaves;
	struct nfit_bdw *bdws;
	struct nfit_flush *flushes;
	unsigned int nr_records, nr_spas, nr_memdevs, nr_dimms, nr_dcrs, nr_interleaves, nr_bdws,
		nr_flushes, nr_smbios, nr_unknown;
	bool has_caps;
	uint8_t caps_highest;
	uint32_t caps; /* masked by caps_highest */
	enum nfit_persistence persistence;
	struct notes notes; /* warnings; zero notes: nothing odd */
};

/* [base, base + len) in bytes. */
struct nfit_range {
	uint64_t base, len;
};

/* What a table is judged against. All zero: nothing is occupied, 52 address bits, first table. */
struct nfit_env {
	const struct nfit_range *ram; /* ranges that no SPA may overlap */
	unsigned int nr_ram;
	unsigned int
		phys_bits; /* of this CPU; 0 means 52, the most an x86-64 page table can name */
	const struct nfit *earlier; /* stays valid as long as this one; its ranges come first */
	/* Why no memory can be bound at [base, base + len), the end of a sentence about the range;
	 * NULL: it can. Asked of what trimming left. No function: nothing else is in the way. */
	const char *(*place)(uint64_t base, uint64_t len);
};

/*
 * Parse one table from `avail` readable bytes into *n (whatever *n held is overwritten). Takes its
 * own copy: `bytes` may go afterwards. *n must not be moved: its parts point at it.
 * 0: n->verdict is NFIT_ACCEPTED or NFIT_TRUNCATED. -EINVAL (length, signature, checksum, size of a
 * structure), -EEXIST (one index, two meanings), -ENOMEM: NFIT_REJECTED, n->reason says why and
 * all arrays are empty. Call nfit_free() in every case.
 */
int nfit_parse(struct nfit *n, const void *bytes, size_t avail, const struct nfit_env *env);

/* Give back all memory of *n. Nothing that came from it may be used any more. Idempotent. */
void nfit_free(struct nfit *n);

/*
 * Accepted persistent ranges of `newest` and all earlier tables, by ascending address: pass NULL,
 * then what was returned last. NULL at the end.
 */
const struct nfit_spa *nfit_next(const struct nfit *newest, const struct nfit_spa *after);

/*
 * Every persistent range of `newest` and all earlier tables, whatever its verdict, in the order in
 * which DIMMs were given: first table first, then by the lowest DIMM handle of the range; a range
 * without a DIMM comes after those, by address. Where a DIMM landed, and whether it is of use,
 * moves no other one. At most `max` into `out`; value: how many there are.
 */
unsigned int nfit_in_order(const struct nfit *newest, const struct nfit_spa **out,
			   unsigned int max);

/* True for the kinds that keep their contents: PM, persistent disk and CD. */
bool nfit_kind_persistent(enum nfit_kind kind);
/* 4 KiB pages (begun ones count) that trimming took at the start and at the end. */
uint64_t nfit_pages_lost(const struct nfit_spa *spa);

/*
 * May `fresh` (after a hot-plug) take the place of `old`? 0, or -ENXIO with a sentence in `why`:
 * a structure of the old table is missing, and memory in use cannot be taken back.
 */
int nfit_check_update(const struct nfit *old, const struct nfit *fresh, char *why, size_t size);

/* --- interleave sets --- */

/* Line number `i` (< line_count) of an interleave description. */
uint32_t nfit_line_offset(const struct nfit_interleave *il, uint32_t i);

/*
 * Where on which DIMM is byte `offset` of a range, and back. Bytes; offset counts from spa->base,
 * dpa is a device physical address. 0; -ERANGE: beyond the range or this DIMM's part of it;
 * -EOPNOTSUPP: spa->translatable is false (a note says why).
 */
int nfit_spa_to_dpa(const struct nfit_spa *spa, uint64_t offset, const struct nfit_memdev **m,
		    uint64_t *dpa);
int nfit_dpa_to_spa(const struct nfit_memdev *m, uint64_t dpa, uint64_t *offset);

/*
 * The checksum of labels, info blocks and interleave-set cookies: two running sums over 32-bit
 * little-endian words, the second one on top. `len` in bytes, a multiple of 4.
 */
uint64_t nfit_fletcher64(const void *data, size_t len);

/* --- printing --- */

typedef void nfit_out_fn(void *ctx, const char *line); /* one line, without a line end */

/* "NFIT #2: rejected: checksum 0x13 (expected sum 0)" into buf. */
void nfit_verdict_line(const struct nfit *n, char *buf, size_t size);
/* The verdict line and everything below it, decoded. */
void nfit_print(const struct nfit *n, nfit_out_fn *out, void *ctx);
/* "not armed, save failed", or "healthy". */
void nfit_flags_text(uint32_t flags, char *buf, size_t size);
const char *nfit_kind_name(enum nfit_kind kind);
/* "CPU caches flushed on power loss", "memory controller", "unknown". */
const char *nfit_persistence_name(enum nfit_persistence p);

/* ---- what was found at boot: nfit_boot.c */

/* The last NFIT parsed (the others by ->earlier), whatever its verdict; NULL: there is none. */
const struct nfit *nfit_get(void);

/* NULL: nfit_get() is all there is to know. Otherwise the sentence why nothing is known of NVDIMMs
 * that may be, or are, plugged in: no ACPI tables, or none that is an NFIT although the machine was
 * given DIMMs. Constant after INIT_BUS. */
const char *nfit_missing(void);

#endif
