/* SPDX-License-Identifier: MIT */
/* DAX files: their index, their leases, what is done to them. Included by dax.h. */
#ifndef DAX_FILE_FILE_H
#define DAX_FILE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The index of a DAX file: file page → entry, a radix tree of 64-way nodes.
 *
 * A value is a physical address whose low twelve bits are flags; zero means "no entry". Pure code,
 * used by entry.c under its lock and by host tests.
 */

#define INDEX_BITS  6u
#define INDEX_SLOTS 64u /* of a node; 2^INDEX_BITS */
/* The flag that marks a large value: for 512 pages from a multiple of that on, of which the others
 * have none. It has one place, that of its first page; looking for one of the next 63 finds it too,
 * for one after those nothing. */
#define INDEX_LARGE_PAGES 512u
#define INDEX_LARGE	  2ull

struct index_node {
	uint64_t slot[INDEX_SLOTS]; /* values, or pointers to nodes */
	unsigned used;		    /* slots that are not zero; zero means: to be freed */
};
struct index {
	struct index_node *root; /* NULL: empty */
	unsigned height;	 /* levels below root; zero only when empty */
	unsigned long nr;	 /* entries that are not zero */
};

/* Value at `pgoff`, 0 if none. */
uint64_t index_load(const struct index *ix, uint64_t pgoff);
/* Where the value at `pgoff` stands, for a change in place to another one that is not zero; NULL:
 * there is none. Good until the next index_store(). */
static inline uint64_t *index_slot(const struct index *ix, uint64_t pgoff);
/* Removes nr values that stand side by side from `slot` on, the place of `pgoff`, within one node;
 * a node that became empty is freed. */
void index_remove(struct index *ix, uint64_t *slot, uint64_t pgoff, unsigned nr);
void index_remove_large(struct index *ix, uint64_t *slot, uint64_t pgoff); /* one of those */
/* Stores a value, not zero, where there is none. Its place, which stays while it is there; NULL: no
 * memory, nothing changed. */
uint64_t *index_add(struct index *ix, uint64_t pgoff, uint64_t value);
/* The same of a large value. NULL and *taken: one of its pages has a value. */
uint64_t *index_add_large(struct index *ix, uint64_t pgoff, uint64_t value, bool *taken);
/* Stores a value, no large one; 0 removes and frees nodes that became empty. False: no memory,
 * nothing changed (never for a removal or a change of an existing entry). */
bool index_store(struct index *ix, uint64_t pgoff, uint64_t value);
/* Where the first value at or after *pgoff and before `end` stands, with *pgoff set to it; NULL:
 * there is none. Those of the pages after it follow, up to the node's end: index_left(). */
uint64_t *index_next_slot(const struct index *ix, uint64_t *pgoff, uint64_t end);
/* That value, or 0. */
static inline uint64_t index_next(const struct index *ix, uint64_t *pgoff, uint64_t end)
{
	const uint64_t *slot = index_next_slot(ix, pgoff, end);

	return slot ? *slot : 0;
}

/* Pages from `pgoff` on whose places are in the same node. */
static inline unsigned index_left(uint64_t pgoff)
{
	return INDEX_SLOTS - (pgoff & (INDEX_SLOTS - 1));
}

/* ---- in line: every fault looks for its entry */

static inline bool index_fits(const struct index *ix, uint64_t pgoff)
{
	return INDEX_BITS * ix->height >= 64 || pgoff >> (INDEX_BITS * ix->height) == 0;
}

/* Does a slot above the lowest level hold a value, not a node? Nodes are aligned, values marked. */
static inline bool index_is_large(uint64_t slot)
{
	return slot & INDEX_LARGE;
}

/*
 * index_slot(), and what stands there. Of an entry the lock bit may just go, without the lock that
 * all other changes are made under: so each word is loaded once, and who finds it gone (acquire)
 * sees what its holder did (release).
 */
static inline uint64_t *index_slot_value(const struct index *ix, uint64_t pgoff, uint64_t *value)
{
	struct index_node *n = ix->root;
	unsigned shift = INDEX_BITS * ix->height;

	if (!n || !index_fits(ix, pgoff))
		return NULL;
	for (;;) {
		uint64_t *slot;

		shift -= INDEX_BITS;
		slot = &n->slot[pgoff >> shift & (INDEX_SLOTS - 1)];
		*value = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
		if (!*value)
			return NULL;
		if (!shift || index_is_large(*value))
			return slot;
		n = (struct index_node *)(uintptr_t)*value;
	}
}

static inline uint64_t *index_slot(const struct index *ix, uint64_t pgoff)
{
	uint64_t value;

	return index_slot_value(ix, pgoff, &value);
}

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
	uint64_t busy_page; /* and which page of the file that is */
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
/* Changes of the layout, these and the next: besides the file layer's errors, -EINTR (a signal
 * ended the wait for a holder or a lease) and, where the lifetime refuses, -EAGAIN (a page is held:
 * last_break says which); nothing was changed then but that the range is unmapped. */
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

/* ---- mmap (map.c) ---------------------------------------------------------------------------- */
/* By Linux's numbers. The type is a value: 3 is not "shared and private". */
#define MAP_TYPE	    0x0fu
#define MAP_SHARED	    0x01u
#define MAP_PRIVATE	    0x02u
#define MAP_SHARED_VALIDATE 0x03u
#define MAP_SYNC	    0x80000u
/* Proposed with the number that MAP_SYNC got later, and never merged: here it has another one. */
#define MAP_DIRECT 0x200000u

/* What is asked of a mapping. */
struct dax_map {
	unsigned flags; /* a type, and flags; MAP_SYNC and MAP_DIRECT count with
			   MAP_SHARED_VALIDATE only */
	uint64_t pgoff, pages;
	bool write;
	bool stranger; /* the caller may not lease the file; zero means: it owns it, or may */
};
/*
 * Maps it; *addr 0: anywhere. In this order, each with a sentence but the last: -EINVAL (no such
 * type), -EOPNOTSUPP (with MAP_SHARED_VALIDATE: a flag that the file does not know or cannot
 * honour), -EINVAL (range), -EROFS, -EPERM (the file may not be written); with MAP_DIRECT -EPERM
 * (another file has blocks of it, or it is not on DAX), -EACCES, -ENOMEM, -EINVAL (leases are
 * disabled), -EAGAIN (a lease of the file is being broken), -ENXIO (its device was killed); the
 * errors of mm_map(). Nothing is mapped and nothing leased
 * after an error. Sleepable; takes mmap_lock.
 */
int dax_map(struct mm *mm, struct dax_inode *inode, const struct dax_map *rq, uint64_t *addr);
/* The state of the mapping with MAP_DIRECT at addr, in words; NULL: it is none. `name`: what its
 * lease is called from now on if it has no name yet; may be NULL. Takes mmap_lock. */
const char *dax_direct_state(struct mm *mm, uint64_t addr, const char *name);
/* MAP_SHARED. */
int dax_mmap(struct mm *mm, struct dax_inode *inode, uint64_t pgoff, uint64_t pages, bool write,
	     uint64_t *addr);

/* MAP_PRIVATE: stores go to copies that the file never sees. Allowed, with `write`, on a file
 * that may not be written. */
int dax_mmap_private(struct mm *mm, struct dax_inode *inode, uint64_t pgoff, uint64_t pages,
		     bool write, uint64_t *addr);

/* A file of another file layer gets its object, with one reference. fs->lock held. NULL: no
 * memory. */
struct dax_inode *dax_inode_new(struct dax_fs *fs, uint32_t number, uint64_t size,
				const char *name);

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
uint64_t sector_to_pfn(uint64_t e);
static inline uint64_t entry_to_pfn(uint64_t e)
{
	if (unlikely(e & ENTRY_SECTOR))
		return sector_to_pfn(e);
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
static inline uint64_t entry_pgoff_to_pfn(uint64_t e, uint64_t pgoff)
{
	return entry_to_pfn(e) + (pgoff & (entry_pages(e) - 1));
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

#endif
