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

struct pmem_region {
	char name[12];		    /* "pmem0" */
	uint64_t start, len;	    /* usable bytes, multiples of 2 MiB; 0, 0: nothing is usable */
	const struct nfit_spa *spa; /* what the firmware said; for reports */
	bool scratch;		    /* given as scratch: its contents may be lost; constant */
	char *whole_contents; /* signatures seen from the DIMM's first byte only, or in a part that
				 was cut; NULL: none. Constant after boot */
	bool readonly;
	const char *ro_reason; /* "DIMM not armed: …", NULL when writable */
	bool bound;	       /* pgmap is live */
	bool dead;	       /* pmem kill: no new mappings. Atomic enough: a word */
	bool limited; /* … and has no page records: nothing of it can be pinned (pgmap is empty) */
	const char *changing; /* "bound", "unbound", "mounted": that is being done with it just now;
				 NULL: nothing. pmem_change_begin() */
	const char *unbound_why;
	void *kaddr; /* the region in the direct map */
	struct pgmap pgmap;
	uint64_t busy; /* records marked busy: freed by their file, still held. Zero: none (atomic)
			*/
	uint64_t released;	    /* of those, how many were released since boot (atomic) */
	struct pmem_shadow *shadow; /* the power-cut model's second copy; NULL: none */
};

unsigned pmem_count(void);
struct pmem_region *pmem_nth(unsigned n);	 /* NULL past the last */
struct pmem_region *pmem_find(const char *name); /* NULL: unknown */
struct pmem_region *pfn_to_region(uint64_t pfn); /* NULL: none */

/*
 * Unbinding: the region's records, pgmap and place in the direct map go; pmem_bind() brings them
 * back. Who may be made to wait, or is asked first, the dax floor knows: it gives the function that
 * `pmem unbind` calls. pmem_unbind() itself waits for what memunmap_pages() waits for. Sleepable.
 */
void pmem_unbind(struct pmem_region *r);
/*
 * One transition of a region at a time: it is being bound, unbound or mounted, and whoever comes
 * meanwhile is refused, by the name of what goes on. Between two of them it is unbound, bound, or
 * bound and mounted. NULL: the transition is ours, until pmem_change_end(); else what somebody else
 * does with it ("bound", …). Any context.
 */
const char *pmem_change_begin(struct pmem_region *r, const char *what);
void pmem_change_end(struct pmem_region *r);
int pmem_bind(struct pmem_region *r); /* 0, or memremap_pages()' errors: r->unbound_why */
/* Binds an unbound region without page records: the CPU reaches it, and no device can be told of
 * it by get_user_pages(). -ENOMEM, as above. */
int pmem_bind_limited(struct pmem_region *r);
/*
 * Killing: the region's records and contents stay, and no fault gets a page of it any more, until
 * it is revived. Faults that had begun are over when it returns. -ENOMEM: it lives on, with a
 * sentence. Sleepable.
 */
int pmem_kill(struct pmem_region *r);
void pmem_revive(struct pmem_region *r);
/* What is asked of the floor above, which knows how a region is used. Set once, at boot. */
struct pmem_above {
	int (*unbind)(struct pmem_region *r, bool wait); /* `pmem unbind`; prints its refusal */
	int (*killed)(struct pmem_region *r); /* ends faults that run now; -ENOMEM, refused */
};
void pmem_set_above(const struct pmem_above *ops);
/* Pages of the region that are held, and in *busy how many blocks their file has freed: a folio
 * counts as all of its blocks. A walk of all records. */
uint64_t pmem_held(const struct pmem_region *r, uint64_t *busy);

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
int pmem_shadow_start(struct pmem_region *r, const char **why); /* -EFBIG over 64 MiB, -ENOMEM */
/* Lines whose contents differ from the copy: what a power cut right now would lose. */
uint64_t pmem_shadow_dirty_lines(const struct pmem_region *r);
/* A device wrote [phys, phys + len) by DMA: durable at once, no CPU cache was involved. Any
 * context. */
void pmem_shadow_device_wrote(uint64_t phys, uint64_t len);
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
 * May files on this device be mapped by DAX? Two questions, before a mount and before a disk is
 * believed; see dax_probe.c.
 */

/*
 * Has pfn … pfn + nr, as its first and its last page tell, page records of `pgmap` (NULL: of any),
 * live and of type FS_DAX? 0; -EINVAL: no page at all; -EOPNOTSUPP. *why is a sentence that lives
 * for ever. A query: prints nothing, changes nothing. Any context.
 */
int dax_probe(const struct pgmap *pgmap, uint64_t pfn, uint64_t nr, const char **why);
/* Where a disk's bytes are mapped, if they can be: pages [*pfn, *pfn + *nr). Else -EOPNOTSUPP, or
 * what its driver says, and *why; the two are not touched then. A query, as above. */
int dax_probe_disk(struct block_device *dev, uint64_t *pfn, uint64_t *nr, const char **why);

#endif
