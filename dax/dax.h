/* SPDX-License-Identifier: MIT */
/*
 * The dax floor's public face: mounted file layers, DAX files, their entries, layouts, lifetimes.
 *
 * A DAX page *is* the file's block. So the block allocator and whoever holds the page (a device, by
 * get_user_pages) must agree on when a block may go to another file; how they agree is the
 * lifetime, chosen at mount (dax/lifetime/). This header is what the file layers, clients and tests
 * call.
 *
 * Lock order:  io_lock → mmap_lock → fault_lock → entry lock → map_lock → fs->lock → i_mmap_lock →
 * ptl.
 * A fault takes mmap_lock (read) and fault_lock (read); truncate takes io_lock and fault_lock for
 * writing, so nothing is mapped while a layout changes. A sleeper for an idle page gives fault_lock
 * up while it sleeps, else a fault inside the holder would wait for the waiter.
 *
 * A waiter holds no lock that strangers need. Each sleep for a holder (of a page, a lease, a
 * device, a busy block) says so first by assert_no_global_lock() (kernel/sync/sync.h): a panic with
 * the lock's name. The list of mounts, the names of mappings, the shell's pins and leases are
 * global. What has to last longer than such a lock is a state with a name that others meet: a mount
 * is LEAVING, a region is being bound (pmem_change_begin()), a mapping is being unmapped.
 */
#ifndef DAX_DAX_H
#define DAX_DAX_H

#include "drivers/drivers.h"
#include "dax/file/index.h"
#include "dax/layer/layer.h"
#include "dax/file/lease.h"

#define INIT_DAX 60 /* this floor's boot stage: regions and devices are there */

struct lifetime;
struct dax_inode;
struct dax_fs;

/* ---- files (inode.c, file.c) ---------------------------------------------------------------- */

/* Asked by a fault, or by its file layer, before it changes the blocks of its file. It cannot wait:
 * mmap_lock, fault lock and an entry are held. 0; -EAGAIN: leases of these classes are being broken
 * now, with a sentence. Sleepable, no spinlock held. */
int layout_break_fault(struct dax_inode *inode, unsigned classes);

/*
 * Where a fault found a run of written blocks last, so that the next one need not ask the file
 * layer, and takes no lock for it.
 *
 * A written block leaves its place in a file only under the file's fault lock, held for writing;
 * what is remembered is good as long as nobody held it so (`writes` of the lock is the same).
 * Faults hold it for reading. They write here one at a time, under map_lock, and make `version` odd
 * meanwhile; who reads an odd one, or another one afterwards, asks the file layer.
 */
struct last_extent {
	uint32_t version;
	uint32_t writes;
	uint64_t pgoff, count; /* pages of the file; count zero: nothing is remembered */
	uint64_t pfn;	       /* of the first */
};

/* How the last layout break of a file went. */
struct layout_break {
	uint64_t waited_ns; /* zero: it did not wait */
	unsigned busy_seen; /* times a busy page was met; zero: every page was idle at once */
	uint64_t busy_pfn;  /* the last one */
};

struct dax_inode {
	struct mapping mapping;	 /* every VMA that shows the file */
	struct rwsem io_lock;	 /* readers: read; writers and layout changes: write */
	struct rwsem fault_lock; /* readers: faults; writer: a layout change */
	struct mutex map_lock;	 /* a fault asks for blocks of this file, or makes some */
	struct last_extent last; /* what a fault found last, for the next one */
	uint64_t single_frame; /* a frame of records that exists and is marked (page_mark_single()),
				  for the next fault; zero: none so far */
	/* The second of the first store through a shared mapping since the last fsync of the file;
	 * zero: none. Set by write faults without a lock (times.c). */
	uint32_t stored_at;
	uint32_t told_at; /* fs->lock: the last stored_at that the file layer knows; zero: none */
	struct spinlock tree_lock; /* protects index, and page ↔ entry agreement (I6) */
	struct index index;
	unsigned nr_huge; /* tree_lock: entries with ENTRY_PMD in it; zero: none */
	struct dax_fs *fs;
	const struct dax_layer_ops *ops;
	void *layer;	 /* the file layer's object, with a reference for as long as this lives */
	uint32_t number; /* of the inode: two files are locked in ascending order */
	uint64_t size;	 /* bytes; written with fault_lock held for writing */
	struct layout_break last_break;
	struct lease_list leases; /* promises that its blocks stay */
	unsigned collisions;	  /* blocks freed while held; zero: none (io_lock) */
	/* fs->lock */
	unsigned refs; /* opens and VMAs; zero means it may be dropped at unmount */
	char name[64]; /* path it was first opened by, for reports */
	LIST_ENTRY(dax_inode) link;
};

/* Opens `path` (absolute, mount point included), `create`: makes it if absent. One reference in
 * *out. Negative errno with a sentence in refusal(). Sleepable. */
int dax_open(const char *path, bool create, struct dax_inode **out);
void dax_get(struct dax_inode *inode);
/* Gives a reference back; the last one of an unlinked file frees its blocks. Sleepable. */
void dax_put(struct dax_inode *inode);

/* Byte ranges. Reads and writes: bytes done or negative errno. Written data is durable after
 * dax_fsync(), metadata at once. `buf` is kernel memory that never faults: copying happens under
 * the very locks that a fault in a mapping of the file needs. */
int64_t dax_read(struct dax_inode *inode, uint64_t off, void *buf, uint64_t len);
int64_t dax_write(struct dax_inode *inode, uint64_t off, const void *buf, uint64_t len);
int dax_truncate(struct dax_inode *inode, uint64_t size);
int dax_punch(struct dax_inode *inode, uint64_t off, uint64_t len);
int dax_fallocate(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size);
/* The range reads as zeroes and is allocated; the file keeps its blocks (reshape.c). */
int dax_zero_range(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size);
/* Takes whole blocks out of a file, before its end; or makes a hole of them. What is behind moves,
 * the size follows. -EINVAL: not multiples of 4096, or at the end (truncate is for that). */
int dax_collapse(struct dax_inode *inode, uint64_t off, uint64_t len);
int dax_insert(struct dax_inode *inode, uint64_t off, uint64_t len);
/* The blocks of two ranges change places, and their files. Offsets and length are multiples of
 * 4096, or the length reaches exactly to the end of both files. -EXDEV: two mounts; -EBUSY: a page
 * is held and the lifetime does not wait (the holders are named). */
int dax_exchange(struct dax_inode *a, uint64_t off, struct dax_inode *b, uint64_t at, uint64_t len);
/* [at, at + len) of b, a hole, gets the blocks of [off, off + len) of a, which both have from then
 * on; the first store of either gets that one a copy (share.c). -EOPNOTSUPP: the file layer has no
 * shared blocks; else as dax_exchange(). */
int dax_reflink(struct dax_inode *a, uint64_t off, struct dax_inode *b, uint64_t at, uint64_t len);
/* The same, and where only busy blocks are left, waits until one is released, again and again
 * (busy-extent). -EINTR: a signal. No lock is held while asleep. */
int dax_fallocate_wait(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size);
/* Writes dirty lines of every dirty entry back and fences. */
int dax_fsync(struct dax_inode *inode);
int dax_fsync_range(struct dax_inode *inode, uint64_t first,
		    uint64_t last); /* of pages [first, last) */
int dax_unlink(const char *path);
int dax_mkdir(const char *path);
int dax_rmdir(const char *path);
/* Maps [pgoff, +pages) of the file into mm, shared; *addr 0: anywhere. */
int dax_mmap(struct mm *mm, struct dax_inode *inode, uint64_t pgoff, uint64_t pages, bool write,
	     uint64_t *addr);

/* The same, private: stores go to copies that the file never sees. Allowed, with `write`, on a file
 * that may not be written. */
int dax_mmap_private(struct mm *mm, struct dax_inode *inode, uint64_t pgoff, uint64_t pages,
		     bool write, uint64_t *addr);

/* ---- mounts (mount.c) ------------------------------------------------------------------------ */

struct mount_options {
	bool longterm; /* longterm=allow: pins without an end are taken; a lifetime may refuse it */
	bool sectors;  /* entries=sectors: unaware only */
	const struct dax_layer_ops *ops; /* the file layer; NULL: LAYER_DEFAULT */
	void *layer;			 /* for ops->mount */
};
/*
 * COMING: its device is being looked at, which may mean a scan of all of it. LIVE. LEAVING: it
 * takes no new user, and umount waits for who walks through it, for its files and for holders of
 * their pages; -EBUSY makes it LIVE again. In each its place and its region are taken.
 */
enum mount_state { MOUNT_COMING, MOUNT_LIVE, MOUNT_LEAVING };
struct dax_fs {
	enum mount_state state; /* mounts_lock; read under fs->lock as well */
	unsigned walkers; /* dax_fs_for_each() is at it; zero: umount may go on (mounts_lock) */
	struct pmem_region *region;
	const struct dax_layer_ops *ops;
	void *layer; /* the file layer's object */
	const struct lifetime *lifetime;
	bool longterm; /* of the options, constant */
	bool sectors;
	uint64_t freed_early; /* fs->lock: runs that the bitmap showed free before they were marked;
				 zero: none, as it must be (F-11) */
	uint64_t serial;      /* 1, 2, … of all mounts since boot; constant */
	uint64_t marked;      /* fs->lock: blocks that this mount marked busy; zero: none */
	char path[64];	      /* mount point, "/t" */
	struct mutex lock;    /* serialises the file layer */
	LIST_HEAD(, dax_inode) inodes; /* fs->lock */
	uint64_t last_freed;	       /* fs->lock: first block of the run that was freed last */
	uint32_t last_freed_count;     /* fs->lock: zero: none since the mount */
	LIST_ENTRY(dax_fs) link;
};
/* Mounts a region's ext4 at `path`. Refusals leave everything as it was; the sentence is in
 * refusal(). -EBUSY: mounted already, path taken, or pages held under another lifetime (named).
 * -EROFS never: a read-only region is mounted read-only. */
int dax_mount(struct pmem_region *region, const char *path, const struct lifetime *lt,
	      struct dax_fs **out);
/* The same with options (NULL: none). -EINVAL: the lifetime does not have one of them. */
int dax_mount_with(struct pmem_region *region, const char *path, const struct lifetime *lt,
		   const struct mount_options *options, struct dax_fs **out);
/* -EBUSY while a file is open or mapped; the sentence names it. May sleep for who holds pages of
 * its files, as the lifetime has it; nobody but a user of this very mount waits meanwhile. */
int dax_umount(const char *path);
/*
 * A walker holds what it walks (memremap.h). In this folder the checks, the listings and the search
 * for held pages read records of pages that nobody here holds. They go by page_records_for_each(),
 * or keep the device as a mount, the region's transition or device-dax's lock does; a look at one
 * record without any of these is a panic.
 */
/*
 * Unbinds a region that is neither mounted nor mapped (unbind.c). Pages that are still held are
 * treated as the lifetime of its last mount has it: most wait, uninterruptibly, as a driver's
 * removal does; an era that would forget them refuses (-EBUSY, holders named), where Linux went on;
 * busy-extent refuses, too, or waits if told to (-EINTR: a signal; the region stays bound). One
 * that is mapped as a device is refused, too; told to wait, it leaves all the same: its mappings
 * go, faults in them fail, and its pins are waited for, uninterruptibly (devdax_remove.c).
 * Sleepable.
 */
int dax_unbind(struct pmem_region *region, bool wait);
/*
 * The driver takes the region away, though it is mounted: a removal that nobody can refuse, as when
 * a device is pulled out. First what the era of its mount does (7.3: files that nobody has open are
 * evicted, which waits for holders of their pages), then memunmap_pages(). Nobody may unmount
 * meanwhile. Sleeps, uninterruptibly; woken by: the last put.
 */
void dax_remove_device(struct pmem_region *region);
/* Is a free block still held, so that the allocator must pass it by? fs->lock held. */
bool dax_block_blocked(const struct dax_fs *fs, uint64_t pfn);
/* A file of another file layer gets its object, with one reference. fs->lock held. NULL: no
 * memory. */
struct dax_inode *dax_inode_new(struct dax_fs *fs, uint32_t number, uint64_t size,
				const char *name);
/* The mount that `path` lies in, with its lock taken; what is left of the path in *rest.
 * NULL: none that is LIVE, and refusal() says which it is. */
struct dax_fs *dax_fs_find(const char *path, const char **rest);
/* fn of every mount that is LIVE, until it returns nonzero. No lock is held meanwhile: the mount
 * is, and its umount waits until fn is through with it. Sleepable; fn may wait for what it likes.
 */
void dax_fs_for_each(int (*fn)(struct dax_fs *, void *), void *arg);
/* The LIVE mount of a region, held as for_each holds it, for dax_fs_put(); NULL: none. *between: it
 * comes or leaves just now, and what its device's records say is about to change. */
struct dax_fs *dax_fs_of(const struct pmem_region *region, bool *between);
void dax_fs_put(struct dax_fs *fs);
/* Prints a line for each mount that comes or leaves; how many. */
unsigned dax_fs_print_changing(void);

/* ---- entries (entry.c) -------------------------------------------------------------------- */
/*
 * An entry: physical address of the page | flags. Its lock bit is held by one fault or layout
 * change at a time; others sleep. Order of a fault: lock the entry, ask the file layer, populate
 * the record, associate, map, unlock.
 *
 * One with ENTRY_PMD stands for 512 pages, and stands at the first of them; whoever asks for
 * another of the 512 finds it. No other entry is in that range while it is there.
 */
#define ENTRY_LOCKED 1ull
#define ENTRY_PMD    2ull   /* 2 MiB entry */
#define ENTRY_ZERO   4ull   /* a hole, mapped as zeroes; no record */
#define ENTRY_EMPTY  8ull   /* nothing yet, being filled by whoever holds the lock */
#define ENTRY_DIRTY  16ull  /* stored to through a mapping since the last fsync */
#define ENTRY_SHARED 64ull  /* the block is other files' as well: never DIRTY, mapped read-only */
#define ENTRY_ZAP    32ull  /* lifetime zap-to-zero: unmapped, its reference given back */
#define ENTRY_SECTOR 128ull /* mount option entries=sectors: a place on a device, see sector.c */
uint64_t sector_pfn(uint64_t e);
static inline uint64_t entry_pfn(uint64_t e)
{
	if (unlikely(e & ENTRY_SECTOR))
		return sector_pfn(e);
	return (e & PTE_PHYS) >> PAGE_SHIFT;
}
/* Pages that an entry stands for, and the first one, if it is the entry of `pgoff`. */
static inline uint64_t entry_pages(uint64_t e)
{
	return e & ENTRY_PMD ? FOLIO_PAGES : 1;
}
static inline uint64_t entry_start(uint64_t e, uint64_t pgoff)
{
	return ALIGN_DOWN(pgoff, entry_pages(e));
}
/* The pfn of file page `pgoff`, whose entry e is. */
static inline uint64_t entry_pfn_at(uint64_t e, uint64_t pgoff)
{
	return entry_pfn(e) + (pgoff & (entry_pages(e) - 1));
}
/* Locks the entry of `pgoff`, making an EMPTY one if absent; its value without the lock bit, or 0:
 * no memory. Sleeps; woken by: entry_unlock(). */
uint64_t entry_lock(struct dax_inode *inode, uint64_t pgoff);
/* The same, and where it stands, which is known until it is unlocked; `huge`: if nothing of the 2
 * MiB around has an entry, makes one for all of it (EMPTY, PMD). */
uint64_t entry_lock_at(struct dax_inode *inode, uint64_t pgoff, bool huge, uint64_t **slot);
/* An (EMPTY, PMD) that the caller has locked becomes an EMPTY one for pgoff alone, locked; its
 * value, and its place, or 0: no memory, and none is locked. */
uint64_t entry_shrink(struct dax_inode *inode, uint64_t pgoff, uint64_t **slot);
/* Stores the new value (0 or EMPTY: removes it) and lets the next one in. */
void entry_unlock(struct dax_inode *inode, uint64_t pgoff, uint64_t value);
/* Removes the entries of [first, last) and their association; the lifetime is told of each. One of
 * 2 MiB that reaches over an end goes as a whole; it is unmapped, and what it had dirty outside the
 * range is written back. The fault lock is held for writing and nothing maps the range. Returns how
 * many were removed. */
uint64_t entries_delete(struct dax_inode *inode, uint64_t first, uint64_t last);
/* Next entry that has a page in [*pgoff, last): its value, or 0; *pgoff becomes its first page,
 * which for one of 2 MiB may lie before. The next one is entry_pages() further. A snapshot. */
uint64_t entry_next(struct dax_inode *inode, uint64_t *pgoff, uint64_t last);

/* ---- shared blocks (share.c) -------------------------------------------------------------- */

/* How many entries of how many files name the page; 0: it is not shared. */
uint64_t page_share_count(const struct page *page);

/* ---- faults (fault.c) --------------------------------------------------------------------- */
extern const struct vma_ops dax_vma_ops;

/* ---- 2 MiB mappings (huge.c) -------------------------------------------------------------- */
/* What became of a fault that might have been served by 2 MiB. */
enum huge_result {
	HUGE_INSTALLED,
	HUGE_ZEROES, /* a load of a hole, served by the shared 2 MiB of zeroes */
	HUGE_SERVED, /* those before: by 2 MiB; those from here on: by single pages, because */
	HUGE_PRIVATE = HUGE_SERVED, /* the mapping is private: stores copy single pages */
	HUGE_ALIGNMENT,		    /* address and file offset differ modulo 2 MiB */
	HUGE_LENGTH,		    /* the mapping does not cover all of the 2 MiB */
	HUGE_FILE_END,		    /* the file does not */
	HUGE_START,		    /* the region does not start at a multiple of 2 MiB */
	HUGE_EXTENT,  /* the blocks are not contiguous, or do not begin at a multiple of 2 MiB */
	HUGE_ENTRIES, /* single pages of it are in use already */
	HUGE_HELD,    /* somebody holds one of the pages from an earlier life */
	HUGE_DYING,   /* the lifetime takes no page of a device that is going */
	HUGE_NO_MEMORY,
	HUGE_RESULTS
};
/* Faults of DAX files since boot with this result. Zero: none. */
uint64_t huge_count(enum huge_result result);

/* ---- whole regions (devdax.c) ------------------------------------------------------------- */
#define DEVDAX_ALL UINT64_MAX
/*
 * Maps [off, off + len) of a region (DEVDAX_ALL: to its end) with pages of `align` bytes: 4 KiB, 2
 * MiB or 1 GiB. Offset 0 is the first multiple of `align` in the region. flags: VM_*, with
 * VM_SHARED; *addr 0: anywhere. -EINVAL (size, alignment, private, no such page), -EBUSY (mounted,
 * mapped with another size, a page is held; named), -EROFS, -ENXIO (not bound), -ENOMEM; the
 * sentence is in refusal(). Sleepable.
 */
int devdax_mmap(struct mm *mm, struct pmem_region *r, uint64_t align, uint64_t off, uint64_t len,
		unsigned flags, uint64_t *addr);
/* A file system begins and ends to use the region, bound as FS_DAX. -EBUSY: it is mapped (named).
 */
int devdax_mount_begin(struct pmem_region *r);
bool devdax_is_mapped(struct pmem_region *r); /* by anybody, just now. Sleepable */
void devdax_mount_end(struct pmem_region *r);

/* ---- lifetimes (lifetime/) ---------------------------------------------------------------- */
#include "dax/lifetime/lifetime.h"

/* ---- words of the shell (cmd_map.c, cmd_mount.c) ------------------------------------------ */
/* "m1" or "m1+OFF": its address and the bytes from there to the mapping's end. A sentence and a
 * negative errno for anything else. */
int dax_parse_place(const char *word, uint64_t *addr, uint64_t *left);
/* Gives the VMA at `addr` a name (m1, …) and prints it. -ENOSPC: all are in use, and it is
 * unmapped. */
int dax_name_mapping(const char *what, uint64_t addr);
/* A lifetime by its name; a sentence that names the nearest one, and -EINVAL. */
int dax_parse_lifetime(const char *word, const struct lifetime **lt);
/* Refuses an option: the lifetime that it nearly names, or which options there are. -EINVAL. */
int dax_unknown_option(const char *word, const char *known);
/* `lifetime=L` and `era=E` together: `named`, of which lt is the design (NULL: it was not named),
 * in the era of that word. A sentence that lists the eras, and -EINVAL. */
int dax_parse_era(const char *word, const struct lifetime *named, const struct lifetime **lt);

/* ---- invariants (invariants.c, check.c) --------------------------------------------------- */
/* What I1 … I7 say: the one text there is of each. NULL: no such rule. */
const char *invariant_text(unsigned n);
/* Each returns the number of violations and prints a sentence for each. The system should be quiet;
 * on a busy one a transient state may be reported. */
unsigned check_i1_blocks(void);
unsigned check_i2_records(void);
unsigned check_i3_entries(void);
unsigned check_i4_waiters(void);
unsigned check_i5_idle(void);
unsigned check_i6_association(void);
unsigned check_all(void);

#endif
