/* SPDX-License-Identifier: MIT */
/*
 * pmem regions: the persistent ranges of the NFIT, bound at boot.
 *
 * pmemN is the N-th DIMM in the order in which the DIMMs were given (nfit_in_order()), never the
 * N-th address: QEMU puts a DIMM into a gap where it fits, and a user's "second DIMM" must not
 * become the third by that. A range that is of no use has its name too, and stays unbound.
 */
#ifndef DRIVERS_PMEM_PMEM_H
#define DRIVERS_PMEM_PMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/mm.h"
#include "drivers/nfit/nfit.h"
#include "drivers/block/bio.h"

struct signature;
struct dax_device;

/*
 * What there is of a region, and what is being done with it: one state, moved by pmem_step() and
 * pmem_try_step() alone, along this table. Nothing else says whether a region is there or leaves.
 *
 *     state      means                                                  goes on to
 *     GONE       no page records, no place in the direct map            COMING
 *     COMING     they are being made, and nobody finds them yet         PRESENT, GONE (it failed),
 *                                                                       KILLED (as it was before)
 *     PRESENT    bound: it is mounted and mapped, and faults get pages  KILLED, LEAVING
 *     KILLED     bound; nobody mounts or maps it, no fault gets a page  PRESENT, LEAVING
 *     LEAVING    as KILLED, and what is mapped is being taken away      UNMAPPED, or back again:
 *                                                                       PRESENT, KILLED
 *     UNMAPPED   no way back: its last references are waited for        PINS_GONE
 *     PINS_GONE  nobody holds it; records and place are taken away      GONE, COMING (bound anew)
 *
 * GONE, PRESENT and KILLED are settled states: of several threads that want to leave one, the first
 * does. The others belong to the thread that made the step, until it makes the next one.
 *
 * A mount or a mapping is no state of the region: each has its own, and asks for PRESENT when it
 * begins. Only a device that is pulled out under its mount (dax_remove_device()) loses its records
 * without a step, and that is the point of the races that play it.
 */
enum pmem_state {
	PMEM_GONE,
	PMEM_COMING,
	PMEM_PRESENT,
	PMEM_KILLED,
	PMEM_LEAVING,
	PMEM_UNMAPPED,
	PMEM_PINS_GONE,
	PMEM_STATES
};

/* What a region is used for, by its info block (infoblock.c). */
enum pmem_mode {
	PMEM_RAW,    /* there is none: whoever uses the region, from its first byte on */
	PMEM_FSDAX,  /* a file system of another system's, behind the block */
	PMEM_DEVDAX, /* device mode: device-dax and nothing else */
};
struct infoblock {
	enum pmem_mode mode;
	uint32_t align;	    /* bytes of a page of the device */
	uint64_t data, end; /* bytes [data, end) of the region are its data */
	bool on_device;	    /* there is room for page records in front of the data */
};

struct pmem_region {
	char name[12];		    /* "pmem0" */
	uint64_t start, len;	    /* usable bytes, multiples of 2 MiB; 0, 0: nothing is usable */
	const struct nfit_spa *spa; /* what the firmware said; for reports */
	bool scratch;		    /* given as scratch: its contents may be lost; constant */
	char *whole_contents; /* signatures seen from the DIMM's first byte only, or in a part that
				 was cut; NULL: none. Constant after boot */
	bool readonly;
	const char *ro_reason;		/* "DIMM not armed: …", NULL when writable */
	enum pmem_state state;		/* atomic */
	char unbound_why[REFUSAL_TEXT]; /* GONE: the end of a sentence */
	void *kaddr;			/* the region in the direct map */
	struct pgmap pgmap;		/* no range: bound without page records */
	uint64_t bindings; /* how often it was bound, counted while COMING; never twice the same */
	struct infoblock info; /* as it is on the device; moved while nobody uses the region */
	char info_why[REFUSAL_TEXT]; /* why the block that is there cannot be used; empty: it can */
	struct dax_device *dax;	     /* the floor above's, which keeps there how it is used */
	struct pmem_shadow *shadow;  /* the power-cut model's second copy; NULL: none */
};

unsigned pmem_count(void);
struct pmem_region *pmem_nth(unsigned n);	 /* NULL past the last */
struct pmem_region *pmem_find(const char *name); /* NULL: unknown */
struct pmem_region *pfn_to_region(uint64_t pfn); /* NULL: none */

/* ---- its state (state.c): see the table above ----------------------------------------------- */

static inline enum pmem_state pmem_state(const struct pmem_region *r)
{
	return __atomic_load_n(&r->state, __ATOMIC_ACQUIRE);
}
/* May a fault get a page of it, a mount or a mapping begin? Each fault asks, so it orders nothing:
 * whoever moves the state waits for the faults that had asked (struct pmem_above). */
static inline bool pmem_is_present(const struct pmem_region *r)
{
	return __atomic_load_n(&r->state, __ATOMIC_RELAXED) == PMEM_PRESENT;
}
/* Can its bytes be read, and its records be looked at? A caller that holds nothing of the region
 * may be told so a moment too late. */
static inline bool pmem_is_there(const struct pmem_region *r)
{
	const enum pmem_state state = pmem_state(r);

	return state >= PMEM_PRESENT && state <= PMEM_LEAVING;
}
/* Bound without page records: nothing of it can be pinned. Of a region that is there. */
static inline bool pmem_is_limited(const struct pmem_region *r)
{
	return !r->pgmap.nr_range;
}
bool pmem_may_step(enum pmem_state from, enum pmem_state to); /* the table */
const char *pmem_state_name(enum pmem_state state);	      /* "pins gone" */
const char *pmem_state_text(enum pmem_state state);	      /* for the listing */
/* From the settled state that it is in (GONE, PRESENT, KILLED), if the table allows that: true, and
 * *seen is that state. Else false, nothing changed, and *seen is what it is in. Any context. */
bool pmem_try_step(struct pmem_region *r, enum pmem_state to, enum pmem_state *seen);
/* From a state that is the caller's own: COMING, LEAVING or behind it. A panic: the table forbids
 * it. Any context. */
void pmem_step(struct pmem_region *r, enum pmem_state to);
/* Moves that were made since boot: bit from * PMEM_STATES + to. For the test that wants each. */
extern uint64_t pmem_moves_seen;
/* Refuses for the state that was seen, with what ends it: -ENODEV (GONE, KILLED), -EBUSY (bound, or
 * somebody moves it). */
int pmem_refuse_state(const struct pmem_region *r, enum pmem_state seen);
int pmem_refuse_fault(const struct pmem_region *r);  /* -ENXIO: killed, or being unbound (SIGBUS) */
int pmem_check_present(const struct pmem_region *r); /* 0: PRESENT, just now; else as above */

/*
 * Binding makes the region's records, pgmap and place in the direct map; -EBUSY: it is not GONE,
 * else memremap_pages()' errors, with a sentence. limited: without page records, the CPU reaches
 * it, and no device can be told of it by get_user_pages(); -ENOMEM. Sleepable.
 */
int pmem_bind(struct pmem_region *r);
int pmem_bind_limited(struct pmem_region *r);
/*
 * Unbinding takes them away: from PRESENT, KILLED, or LEAVING that is the caller's, to GONE. Who
 * may be made to wait, or is asked first, the floor above knows: `pmem unbind` is its operation.
 * Waits for what memunmap_drain() waits for. Sleepable.
 */
void pmem_unbind(struct pmem_region *r);
/* The pgmap of a region as a file system wants it: FS_DAX, records of 4 KiB that rest at 1. */
struct pgmap pmem_fs_pgmap(const struct pmem_region *r);
/*
 * Other records for the same region: PRESENT or KILLED, and the same again when it returns. Nobody
 * uses it, or holds a page, and the caller sees to it that nobody begins. Errors with a sentence:
 * -EBUSY, -ENODEV: it is neither; memremap_pages()' errors: then it is bound for file systems, or
 * GONE. Sleepable.
 */
int pmem_rebind(struct pmem_region *r, const struct pgmap *next);
/*
 * Killing: records and contents stay, and no fault gets a page any more, until it is revived.
 * Faults that had begun are over when it returns. Nothing to do is no error. -ENODEV, -EBUSY: it is
 * neither PRESENT nor KILLED; -ENOMEM: it lives on. With a sentence. Sleepable.
 */
int pmem_kill(struct pmem_region *r);
int pmem_revive(struct pmem_region *r);
/*
 * Modes (mode.c). The region's bytes are there, and the caller sees to it that nobody uses them.
 */
/* Reads the region's block; what it says is in r->info, or why not in r->info_why. */
void pmem_read_info(struct pmem_region *r);
/* Puts it into device mode, durable when this returns; its first 8 KiB are lost. Or,
 * align 0: takes the block away, and nothing else. 0; -EINVAL (it is in that mode already; no start
 * at 2 MiB), -ENXIO (too small), -EROFS, -EPERM (something known would be lost; `force`: it may
 * be); with a sentence. */
int pmem_write_info(struct pmem_region *r, uint32_t align, bool force);
/* 0; -EINVAL with a sentence: it is in device mode, or its block cannot be used. */
int pmem_check_raw(const struct pmem_region *r);
/* What is asked of the floor above, which knows how a region is used. Set once, at boot. */
struct pmem_above {
	int (*unbind)(struct pmem_region *r, bool wait); /* `pmem unbind`; prints its refusal */
	int (*killed)(struct pmem_region *r); /* ends faults that run now; -ENOMEM, refused */
	/* `pmem mode`: pmem_write_info(), once nobody uses the region. Refused. */
	int (*set_mode)(struct pmem_region *r, uint32_t align, bool force);
};
void pmem_set_above(const struct pmem_above *ops);
/* Pages of the region that are held, and in *busy how many blocks their file has freed: a folio
 * counts as all of its blocks. A walk of all records. */
uint64_t pmem_held(const struct pmem_region *r, uint64_t *busy);
/* "held: 3 page(s)", and who holds what is busy. Sleepable. */
void pmem_print_held(const struct pmem_region *r);

/*
 * What is on a region (pmem_contents.c). Sentences go into `buf`, cut to its size. Sleepable.
 */
/* Signatures from the first usable byte, as they are now; none of an unbound region. */
unsigned pmem_signatures(const struct pmem_region *r, struct signature *out, unsigned max);
/* "ext4 (at 0x438)"; false: nothing known is on it, neither seen from its first usable byte nor
 * from the first of the DIMM. */
bool pmem_contents(const struct pmem_region *r, char *buf, size_t n);
/* "its start was cut by 12288 bytes", to a multiple of 2 MiB; false: nothing was cut. */
bool pmem_trimmed(const struct pmem_region *r, char *buf, size_t n);
/* May races, benchmarks and self-tests overwrite it? 0, or -EPERM with a sentence: what they would
 * destroy, and the word that allows it. */
int pmem_may_overwrite(const struct pmem_region *r);
/* Is something on the region that no ext4 should be mounted over, or looked for behind? 0: the ext4
 * layer may look by itself; -EINVAL: a sentence names it. */
int pmem_bars_ext4(const struct pmem_region *r);
void pmem_look_at_cut_parts(struct pmem_region *r); /* at boot, once bound: whole_contents */

/*
 * The power-cut model (shadow.c). QEMU loses nothing when it stops, so a missing flush would never
 * be seen. A shadowed region has a second copy in RAM that receives a line only when the line was
 * written back and then fenced. pmem_powercut() puts that copy in place of the region's contents.
 */
/* -EFBIG over 64 MiB, -ENOMEM; with a sentence. */
int pmem_shadow_start(struct pmem_region *r);
/* A device wrote [phys, phys + len) by DMA: durable at once, no CPU cache was involved. Any
 * context. */
void pmem_shadow_device_wrote(const struct page *page, uint32_t at, uint32_t len);
/* Fences so far that made a line of a shadowed region durable; *fails_at: at that count the power
 * fails, or has failed. UINT64_MAX: none was chosen. */
uint64_t pmem_shadow_fences(uint64_t *fails_at);
/* The power fails behind so many more of them (zero: now): later ones make nothing durable. The
 * machine goes on, pmem_shadow_restore() shows it. -EBUSY: it has failed already. */
int pmem_shadow_fail_after(uint64_t fences);
/* Every shadowed region is put back to its copy. Number of lines lost. */
uint64_t pmem_shadow_restore(void);

/*
 * Whose bytes are these? Signatures of file systems, partition tables, volume managers and ndctl's
 * personalities: what blkid would name, looked for at the places where blkid looks.
 *
 * Pure code: no memory, no locks, no state; any context in which the reader may be called.
 */

enum signature_kind {
	SIGNATURE_EXT,	     /* a superblock of ext2, ext3 or ext4 */
	SIGNATURE_NAMESPACE, /* ndctl: the data lies behind an info block, or in BTT's blocks */
	SIGNATURE_RAID,	     /* one of several copies or parts */
	SIGNATURE_OTHER,
};

struct signature {
	const char *name; /* "XFS", "LUKS 2"; lives for ever */
	enum signature_kind kind;
	uint64_t offset; /* of the signature's first byte, from the device's start */
};

#define SIGNATURES_MAX 8u /* that one device is asked for; more of them add nothing */

/* Copies bytes [off, off + n) of the device; false: they are not there, or cannot be read. */
typedef bool signature_read_fn(void *ctx, uint64_t off, void *buf, size_t n);

/* Signatures on a device of `size` bytes, at most `max` of them into `out`; value: how many were
 * stored. Zero: nothing that is known. Reads at most 70 times 512 bytes. */
unsigned int signature_find(signature_read_fn *read, void *ctx, uint64_t size,
			    struct signature *out, unsigned int max);
/* "XFS (at 0x0), GPT (at 0x200)" into buf. */
void signature_text(const struct signature *s, unsigned int nr, char *buf, size_t n);

/*
 * Info blocks (infoblock.c), the bytes. Pure code, as above.
 */
#define INFO_AT	   4096u /* where in a region it is */
#define INFO_BYTES 4096u
/* The block of a region at [start, start + size). 0; or with a sentence in why[n] -ENODEV: these
 * bytes are no block of this region's; -EOPNOTSUPP, -ENXIO: they are one, and it cannot be used.
 */
int infoblock_parse(const uint8_t *block, uint64_t start, uint64_t size, struct infoblock *out,
		    char *why, size_t n);
/* Fills block[INFO_BYTES] for a device with pages of `align`. 0; -EINVAL, -ENXIO, as above. */
int infoblock_make(uint8_t *block, uint64_t start, uint64_t size, uint32_t align,
		   const uint8_t *uuid, char *why, size_t n);

/*
 * May files on this device be mapped by DAX? Two questions, before a mount and before a disk is
 * believed; see dax_probe.c.
 */

/*
 * Has pfn … pfn + nr, as its first and its last page tell, page records of `pgmap` (NULL: of any),
 * live and of type FS_DAX? 0; with a sentence -EINVAL: no page at all; -EOPNOTSUPP. A query: prints
 * nothing, changes nothing. Thread context.
 */
int dax_probe(const struct pgmap *pgmap, uint64_t pfn, uint64_t nr);
/* Where a disk's bytes are mapped, if they can be: pages [*pfn, *pfn + *nr). Else -EOPNOTSUPP, or
 * what its driver says, with a sentence; the two are not touched then. A query, as above. */
int dax_probe_disk(struct block_device *dev, uint64_t *pfn, uint64_t *nr);

#endif
