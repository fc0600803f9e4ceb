/* SPDX-License-Identifier: MIT */
/* Files, entries and layouts as dax/ alone deals with them: the steps that layout changes, faults
 * and lifetimes are made of. */
#ifndef DAX_FILE_INTERNAL_H
#define DAX_FILE_INTERNAL_H

#include "dax/dax.h"

#define DAX_TO_END (1ull << 52) /* past the last page of any file */

/* An entry begins to name the page, for the holder of its lock: the link page → (file, offset)
 * (I6), if the lifetime has it, and what the lifetime does beside it. Nothing changed: -EIO
 * (another entry names the page, so the image gives one block to two files), -ENXIO (the device is
 * going). */
int page_attach(struct page *page, struct dax_inode *inode, uint64_t pgoff);
/* For lifetime->detach, of nr pages, tree lock held: they lose the link that they must have, each
 * record to the page of the file that is as far from pgoff. */
void page_disassociate(struct page *first, unsigned nr, struct dax_inode *inode, uint64_t pgoff);

/* ---- entry.c: single entries -------------------------------------------------------------- */

/* What waiters for one entry sleep on: all of one 2 MiB together, as nobody knows before he looks
 * which entry stands in his way. Two keys that collide only wake each other needlessly. */
static inline const void *entry_wait_key(struct dax_inode *inode, uint64_t pgoff)
{
	return (const char *)&inode->index + pgoff / FOLIO_PAGES;
}

#if !defined(ANY_BUILD) && EXPLORE_BUILD
MUSEUM_DECLARE(entry_unfenced);
#endif
/* entry_unlock() for who knows where the entry stands. Without the tree lock: the place of a locked
 * entry stays, and nobody else writes there. By a locked exchange: the bit before the look at the
 * waiters, else one that saw it set is missed.
 */
static inline void entry_unlock_at(struct dax_inode *inode, uint64_t pgoff, uint64_t *slot,
				   uint64_t value)
{
	const void *key = entry_wait_key(inode, pgoff);

	if (unlikely(!value || (value & ENTRY_EMPTY))) {
		entry_unlock(inode, pgoff, value);
		return;
	}
	lock_order_drop(key, LOCK_BIT);
	if (museum_explored(entry_unfenced)) {
		__atomic_store_n(slot, value & ~ENTRY_LOCKED, __ATOMIC_RELEASE);
		value = ENTRY_LOCKED;
	} else {
		value = __atomic_exchange_n(slot, value & ~ENTRY_LOCKED, __ATOMIC_SEQ_CST);
	}
	ASSERT(value & ENTRY_LOCKED, "entry %lu of %s is unlocked, and nobody holds it", pgoff,
	       inode->name);
	if (unlikely(wait_maybe(key)))
		wake_up(key);
}

/* ---- sector.c: entries that hold a sector (docs/weaknesses.md A-2) -------------------------- */
bool sector_can_name(const struct pmem_region *r); /* its number fits into an entry */
uint64_t sector_entry(const struct dax_fs *fs, uint64_t pfn);
/* The value of a fresh entry for pfn, without flags. */
static inline uint64_t entry_for(const struct dax_fs *fs, uint64_t pfn)
{
	return unlikely(fs->sectors) ? sector_entry(fs, pfn) : pfn << PAGE_SHIFT;
}
/* Writes the lines of a run of entries back. False: they hold sectors and the device is dead, so
 * that nobody can say where the lines are. */
bool run_write_back(const struct entry_run *run);

/* ---- entry.c: entries by runs --------------------------------------------------------------- */

/* Entries with the same flags that are side by side, in the file and in memory: of single pages,
 * all in one node of the index; or one of 2 MiB, alone. */
struct entry_run {
	uint64_t pgoff; /* page of the file where the first one stands */
	uint64_t entry; /* the first one's value */
	unsigned nr;	/* entries, each with one record; zero: there is none */
};
/* The record of the first entry, which has no EMPTY and no ZERO; the others' follow. */
static inline struct page *run_to_page(const struct entry_run *run)
{
	return pfn_to_page(entry_to_pfn(run->entry));
}
static inline uint64_t run_pages(const struct entry_run *run)
{
	return run->nr * entry_pages(run->entry);
}
/* The next entries that have a page in [*at, last), whether dirty or not (that flag is the first
 * one's), under one hold of the tree lock; *at goes behind them. False: there is none. A snapshot.
 */
bool entries_next(struct dax_inode *inode, uint64_t *at, uint64_t last, struct entry_run *run);
/* The same for dirty entries, which the caller now holds locked. An entry that a fault holds is
 * waited for: it may have mapped the page writable already, another thread stored to it, and the
 * dirty mark comes only with the unlock. Sleeps; woken by: entry_unlock(). */
bool entries_lock_dirty(struct dax_inode *inode, uint64_t *at, uint64_t last,
			struct entry_run *run);
/* Sets a flag of the next entries of [*at, last) that do not have it, are real and not locked; *run
 * is what they were. False: there is none. */
bool entries_mark(struct dax_inode *inode, uint64_t *at, uint64_t last, uint64_t flag,
		  struct entry_run *run);
/* Waits for every entry of [first, last) that is locked, one after the other. Sleeps; woken by:
 * entry_unlock(). */
void entries_wait_unlocked(struct dax_inode *inode, uint64_t first, uint64_t last);
/* Unlocks a run of locked entries; `clean`: what was stored is on its way to the medium. */
void entries_unlock(struct dax_inode *inode, const struct entry_run *run, bool clean);

/* The first page of [first, last) that somebody holds, beyond what the lifetime has at rest, of
 * entries without a flag of `skip`; NULL: none. */
struct page *entries_find_held(struct dax_inode *inode, uint64_t first, uint64_t last,
			       uint64_t skip);
/* ---- file.c: what every layout change is made of -------------------------------------------- */

/* May the file be changed? `adds`: only bytes behind its end or blocks in its holes. Asked first: a
 * refusal leaves everything as it was. 0, -EROFS, -EPERM. */
int may_change(struct dax_inode *inode, bool adds);
/* Why the file's own flags forbid a change; NULL: they do not. No lock. */
static inline const char *inode_forbids(const struct dax_inode *inode, bool adds)
{
	return inode->ops->forbids ? inode->ops->forbids(inode, adds) : NULL;
}
/* Step 1: io_lock and fault_lock for writing; no write, no fault. Sleeps. */
void lock_layout(struct dax_inode *inode);
void unlock_layout(struct dax_inode *inode);
/* Zeroes the parts of [off, end) that lie in pages which stay. 0, or negative errno, sentence. */
int zero_edges(struct dax_inode *inode, uint64_t off, uint64_t end);
/* 0, or -ENOSPC if the holes of the range need more blocks than are free. fs->lock held. */
int room_for(struct dax_inode *inode, uint64_t off, uint64_t len);
/* The sentence of the file layer becomes that of refusal(); value: err. fs->lock held. */
int fail_layer(struct dax_inode *inode, int err);

/* ---- times.c ------------------------------------------------------------------------------- */
void times_begin(struct dax_inode *inode);
/* A write fault of a shared mapping. In line, as each of them calls it. */
static inline void times_note_store(struct dax_inode *inode)
{
	if (unlikely(!__atomic_load_n(&inode->stored_at, __ATOMIC_RELAXED)))
		times_begin(inode);
}
/* Somebody wants to know the times: the file layer gets them. fs->lock held. */
int times_tell(struct dax_inode *inode);
/* An fsync; `wrote`: it has written lines back, and what it wrote back is write-protected. fs->lock
 * held. Negative errno of the file layer. */
int times_settle(struct dax_inode *inode, bool wrote);

/* ---- huge.c, layout.c ----------------------------------------------------------------------- */

/* Could this fault be served by 2 MiB, as far as the mapping tells? HUGE_INSTALLED: yes. In line,
 * as every fault asks. */
static inline enum huge_result huge_fits(const struct dax_inode *inode, const struct vm_fault *vmf)
{
	const struct vma *vma = vmf->vma;
	uint64_t start = ALIGN_DOWN(vmf->address, PMD_SIZE);

	if ((vmf->address >> PAGE_SHIFT ^ vmf->pgoff) & (FOLIO_PAGES - 1))
		return HUGE_ALIGNMENT;
	if (start < vma->start || start + PMD_SIZE > vma->end)
		return HUGE_LENGTH;
	if (!(vma->flags & VM_SHARED))
		return HUGE_PRIVATE;
	/* By pages: a size that ends inside the last one leaves an entry of 2 MiB where it is. */
	if ((vmf->pgoff | (FOLIO_PAGES - 1)) << PAGE_SHIFT >= inode->size)
		return HUGE_FILE_END;
	return IS_ALIGNED(inode->fs->region->start, PMD_SIZE) ? HUGE_INSTALLED : HUGE_START;
}
/* huge.c */
/* The 2 MiB entry is locked, and stands at *slot. Below HUGE_SERVED: mapped; anything else: single
 * pages have to do, and *entry at *slot is what is locked now (0: nothing, no memory). */
enum huge_result huge_fault(struct dax_inode *inode, struct vm_fault *vmf, uint64_t *entry,
			    uint64_t **slot);
/* What becomes of faults, counted by the CPU that served them: a fault writes nothing that another
 * CPU writes. A count that is lost because a thread moved between its two halves is accepted. */
struct huge_counts {
	uint64_t n[HUGE_RESULTS];
	uint64_t last; /* what was traced last: the same again is not */
} __attribute__((aligned(64)));
extern struct huge_counts huge_counts[MAX_CPUS];
void huge_trace(const struct dax_inode *inode, const struct vm_fault *vmf, enum huge_result result);
/* Counts what became of a fault, and notes it for `trace`. */
static inline void huge_note(const struct dax_inode *inode, const struct vm_fault *vmf,
			     enum huge_result result)
{
	struct huge_counts *c = &huge_counts[cpu_id()];
	/* What cannot be served by 2 MiB says so for each 2 MiB; what can, once for the file. */
	uint64_t where =
		result == HUGE_INSTALLED ? (uint64_t)inode : vmf->address & ~(PMD_SIZE - 1);
	uint64_t key = where + result;

	c->n[result]++;
	if (unlikely(c->last != key)) {
		c->last = key;
		huge_trace(inode, vmf, result);
	}
}

/*
 * layout.c. What may have to be waited for before blocks of [first, last) go: pages, by the
 * lifetime, and leases. io_lock and fault_lock are held for writing, and given up meanwhile: what
 * was looked at before may have changed. 0; or, with a sentence, -EINTR or what the lifetime says
 * (-EAGAIN: it refuses, and does not wait): nothing changed but that mappings are gone.
 */
int layout_break(struct dax_inode *inode, uint64_t first, uint64_t last, enum layout_reason reason);
/* The same for a change of the size: to more, nothing goes; to less or the same, what is behind. */
int layout_break_size(struct dax_inode *inode, uint64_t size);
/* Sets a lease of class LEASE_LAYOUT on the file, whose name is in l->file: from its return on the
 * blocks stay. A change that did not see the lease holds the fault lock, which is waited for.
 * Errors of lease_set(), with a sentence. Sleepable; neither io_lock nor fault lock held. */
int layout_lease_set(struct dax_inode *inode, struct lease *l, bool may);
/* For the second file of two: has it leases? They are being broken then, and not waited for. */
bool layout_leased(struct dax_inode *inode);
/* Steps of lifetimes. Sleeps until held(page) is false, with the fault lock given up meanwhile; the
 * reason and the holders show in `ps`. Woken by: lifetime->last_put (text `waker`). The record is
 * not looked at again when held(page) has said no: nobody keeps it from then on. 0, -EINTR. */
int layout_sleep(struct dax_inode *inode, struct page *page, bool (*held)(const struct page *),
		 const char *waker);
/* -EAGAIN, with the page of the file and its holders named, here and in last_break. The range is
 * unmapped; nobody will tell the caller when the page is put. */
int layout_refuse(struct dax_inode *inode, struct page *page);
/* The same as layout_sleep() for an eviction: no signal ends it, and no lock is given up, as nobody
 * else has the file. */
void layout_sleep_final(struct dax_inode *inode, struct page *page,
			bool (*held)(const struct page *), const char *waker);
/* Waits for one busy page of [first, last) after the other, by the lifetime's own scan and
 * wait_idle, until scan finds none. 0, -EINTR. */
int layout_wait_idle(struct dax_inode *inode, uint64_t first, uint64_t last);
/* Breaks leases and waits, with the fault lock given up, and the io_lock unless two files are
 * exchanged. 0, -EINTR. */
int layout_break_leases(struct dax_inode *inode, unsigned classes, enum layout_reason reason);
/* How many pages of a run somebody holds. Any context. */
unsigned held_of_run(const struct entry_run *run, uint32_t rest);
/* What the lifetime and its options add to the flags of a mapping. */
unsigned dax_vma_flags(const struct dax_fs *fs);
/* For struct vma_ops: the lifetime's steps. */
int dax_gup_begin(struct vma *vma, unsigned long nr, void **cookie);
void dax_gup_end(void *cookie, struct page **pages, unsigned long nr);
int dax_file_gup_begin(struct dax_inode *inode, unsigned long nr, void **cookie);
/*
 * Does any VMA show the file? Fault lock held for writing. One load decides, and i_mmap_lock is not
 * needed: a VMA leaves the list after its translations went (vma_remove), and one that takes over
 * another's is in the list before that leaves it. One that enters just now has no translation, and
 * gets none from a fault before the fault lock is free.
 */
static inline bool mapping_mapped(const struct mapping *m)
{
	return __atomic_load_n(&m->vmas.lh_first, __ATOMIC_ACQUIRE) != NULL;
}

/* direct.c */
extern const struct vma_ops dax_direct_vma_ops;
/* The object of a mapping with MAP_DIRECT, for vma->private, with its lease; `may`: the caller may
 * lease the file. -EACCES, -ENOMEM, the errors of layout_lease_set(). Dropped by the last VMA, or
 * by direct_map_drop() if there never was one. Sleepable. */
int direct_map_new(struct dax_inode *inode, uint64_t pgoff, uint64_t pages, bool may,
		   void **private);
void direct_map_drop(void *private);
/* Objects that a switch of the museum kept from being freed; `end`: they are freed. */
unsigned direct_map_lost(bool end);
/* map.c: the file's metadata is durable when it returns; for a store's fault in a mapping with
 * MAP_SYNC. Entry locked; takes fs->lock. Negative errno of the file layer. */
int map_settle(struct dax_inode *inode);

/* fault.c: the fault of a file, under its fault lock for reading. */
int dax_fault_held(struct dax_inode *inode, struct vm_fault *vmf);
/* private.c: a store to a private mapping, or any access to a page that is a copy already. The
 * entry is locked and stays as it is; `entry` is its value. */
int dax_private_fault(struct dax_inode *inode, struct vm_fault *vmf, uint64_t entry);

/* share.c. The entry is locked. */
/* An entry begins to name a page that others may name as well. */
void share_insert(struct page *page);
/* Tree lock held: entries with ENTRY_SHARED go. */
void share_remove(const struct entry_run *run);
/* A store to an entry with ENTRY_SHARED: the page in *entry is given up; EMPTY. */
void share_give_up(struct dax_inode *inode, uint64_t pgoff, uint64_t *entry);

/* reshape.c: nothing maps pages [first, last) any more, and what stores left in the caches is on
 * its way. Layout locked. */
void unmap_and_write_back(struct dax_inode *inode, uint64_t first, uint64_t last);

/* inode.c; fs->lock held. */
/* Takes over the node's reference, on failure as well. */
int inode_attach(struct dax_fs *fs, struct dax_node *node, const char *name,
		 struct dax_inode **out);
/* Where a node lies, with its reference, and the sentence of refusal() if there is none. */
int node_walk(struct dax_fs *fs, const char *path, const char *rest, struct dax_node *node);
/* May the file be mapped? 0; -EOPNOTSUPP, with a sentence: it is not on DAX. */
int inode_check_dax(const struct dax_inode *inode);
/* The sentence for what the layer has no operation for; -EOPNOTSUPP. */
int layer_lacks(const struct dax_fs *fs, const char *what);
void inode_drop(
	struct dax_inode *inode); /* no references: entries deleted, ext4 reference given back */

#endif
