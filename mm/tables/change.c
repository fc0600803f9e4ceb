/* SPDX-License-Identifier: MIT */
/*
 * Changing what is mapped: cutting, protecting, moving, forgetting, making durable.
 *
 * Everything here is built from two moves: cut a VMA in two at an address, and take translations
 * away so that the next access asks again. A page-table entry is never moved for a shared mapping:
 * the file knows its pages, and a fault brings them back. Only private copies live in the page
 * tables alone, so they are carried over entry by entry.
 *
 * All of it happens under mmap_lock for writing: no fault of this address space is under way. Who
 * may still come is truncate, which looks for a file's pages by the file's list of VMAs. So what
 * changes that list, or moves entries from one VMA of it to another, holds i_mmap_lock as well:
 * truncate sees the state before or the state after, never a page that is in neither.
 */
#include "mm/tables/internal.h"
#include "mm/space/internal.h"

MUSEUM(protect_lazily, "protect-lazily",
       "a right that is taken away stays in the page tables and the TLBs; shown by selftest "
       "space.protect-everywhere");

MUSEUM(move_flushed_early, "move-flushed-early",
       "a move flushes before it takes the entries from the old place: a CPU reads one back in, "
       "and "
       "goes on storing there; found by explore space.store-move");

#define MOVE_BATCH 64 /* entries moved with one flush */

static bool range_ok(uint64_t addr, uint64_t len)
{
	return len && IS_ALIGNED(addr | len, PAGE_SIZE) && addr >= USER_START && len <= USER_END &&
	       addr <= USER_END - len;
}

/* ---- cutting ------------------------------------------------------------------------------- */

static bool may_split(const struct vma *vma, uint64_t at)
{
	return !vma->ops->may_split || vma->ops->may_split(vma, at);
}

/* Cuts at `at`, inside the VMA; the upper part goes on at the file page where the lower one ends.
 */
static int split(struct mm *mm, struct vma *vma, uint64_t at)
{
	struct vma *upper = vma_new(vma, mm, at, vma->end);

	if (!upper)
		return -ENOMEM;
	upper->pgoff = vma->pgoff + ((at - vma->start) >> PAGE_SHIFT);
	/* A larger page across the cut would belong to both: it goes, a fault brings smaller ones.
	 */
	if (!(vma->flags & VM_PRIVATE) && !IS_ALIGNED(at, PUD_SIZE))
		zap_vma(vma, at, at + PAGE_SIZE, ZAP_CLEAR);
	vma_lock_file(vma);
	vma->end = at;
	vma_enter(mm, upper);
	vma_unlock_file(vma);
	return 0;
}

/* The VMA that would have to be cut to make `at` an end; NULL: none. */
static struct vma *reaches_over(struct mm *mm, uint64_t at)
{
	struct vma *vma = mm_find_vma(mm, at);

	return vma && vma->start < at ? vma : NULL;
}

int vma_isolate(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *first = reaches_over(mm, start), *last = reaches_over(mm, end);
	int err = 0;

	assert_rwsem_held_write(&mm->mmap_lock);
	if ((first && !may_split(first, start)) || (last && !may_split(last, end)))
		return -EINVAL;
	if (first)
		err = split(mm, first, start);
	last = reaches_over(mm, end); /* the first cut may have made it a new one */
	if (!err && last)
		err = split(mm, last, end);
	return err;
}

/* Is every page of the range mapped, and by VMAs that have all of `flags`? */
static bool covered(struct mm *mm, uint64_t start, uint64_t end, unsigned flags, int *err)
{
	struct vma *vma;

	for (; start < end; start = vma->end) {
		vma = mm_find_vma(mm, start);
		*err = !vma ? -ENOMEM : (vma->flags & flags) == flags ? 0 : -EACCES;
		if (*err)
			return false;
	}
	return true;
}

/* ---- rights -------------------------------------------------------------------------------- */

static void set_rights(struct vma *vma, unsigned flags)
{
	bool taken = (vma->flags & VM_WRITE) && !(flags & VM_WRITE);

	INTENDED_RACE("who walks a file's VMAs looks at VM_PRIVATE alone, which stays as it is");
	vma->flags = (vma->flags & ~(VM_READ | VM_WRITE)) | flags;
	/* Granting needs no flush: a fault finds the new right. Taking away does. */
	if (taken && !museum_on(protect_lazily))
		zap_vma(vma, vma->start, vma->end, ZAP_CLEAN);
}

int mm_protect(struct mm *mm, uint64_t addr, uint64_t len, unsigned flags)
{
	uint64_t end = addr + len;
	struct vma *vma;
	int err;

	if (!range_ok(addr, len) || (flags & ~VM_WRITE) != VM_READ)
		return -EINVAL;
	down_write(&mm->mmap_lock);
	if (covered(mm, addr, end, flags & VM_WRITE ? VM_MAYWRITE : 0, &err))
		err = vma_isolate(mm, addr, end);
	for (uint64_t at = addr; at < end && !err; at = vma->end) {
		vma = mm_find_vma(mm, at);
		set_rights(vma, flags);
	}
	up_write(&mm->mmap_lock);
	return err;
}

/* ---- advice and durability ------------------------------------------------------------------ */

int mm_advise(struct mm *mm, uint64_t addr, uint64_t len, enum mm_advice advice)
{
	uint64_t end = addr + len;
	struct vma *vma;
	int err;

	if (!range_ok(addr, len) || advice > MM_NO_HUGE)
		return -EINVAL;
	down_write(&mm->mmap_lock);
	covered(mm, addr, end, 0, &err);
	for (uint64_t at = addr; at < end && !err && advice == MM_DONT_NEED; at = vma->end) {
		vma = mm_find_vma(mm, at);
		zap_vma(vma, at, MIN(vma->end, end), ZAP_CLEAR);
	}
	up_write(&mm->mmap_lock);
	return err;
}

int mm_sync(struct mm *mm, uint64_t addr, uint64_t len)
{
	uint64_t end = addr + len;
	struct vma *vma;
	int err;

	if (!range_ok(addr, len))
		return -EINVAL;
	down_read(&mm->mmap_lock);
	covered(mm, addr, end, 0, &err);
	for (uint64_t at = addr; at < end && !err; at = vma->end) {
		vma = mm_find_vma(mm, at);
		if (vma->ops->sync && !(vma->flags & VM_PRIVATE))
			err = vma->ops->sync(vma, at, MIN(vma->end, end));
	}
	up_read(&mm->mmap_lock);
	return err;
}

/* ---- moving --------------------------------------------------------------------------------- */

/* All tables of the new place first, so that the move itself cannot fail half way. */
static int make_tables(struct mm *mm, uint64_t from, uint64_t to, uint64_t len)
{
	for (uint64_t off = 0; off < len; off += PAGE_SIZE)
		if (pte_walk(mm->root, from + off, 1, false, NULL) &&
		    !pte_walk(mm->root, to + off, 1, true, NULL))
			return -ENOMEM;
	return 0;
}

/* The flush comes between, so that whoever finds a page at its new place knows that nobody uses the
 * old one any more. ptl held. */
static void move_batch(struct mm *mm, uint64_t from, uint64_t to, unsigned nr)
{
	uint64_t entry[MOVE_BATCH], *pte;

	if (museum_on(move_flushed_early))
		tlb_flush_range(mm, from, from + nr * PAGE_SIZE);
	for (unsigned i = 0; i < nr; i++) {
		pte = pte_walk(mm->root, from + i * PAGE_SIZE, 1, false, NULL);
		entry[i] = pte ? __atomic_exchange_n(pte, 0, __ATOMIC_ACQ_REL) : 0;
	}
	if (!museum_on(move_flushed_early))
		tlb_flush_range(mm, from, from + nr * PAGE_SIZE);
	for (unsigned i = 0; i < nr; i++) {
		pte = entry[i] ? pte_walk(mm->root, to + i * PAGE_SIZE, 1, false, NULL) : NULL;
		if (pte)
			__atomic_store_n(pte, entry[i], __ATOMIC_RELEASE);
	}
}

static void move_entries(struct mm *mm, uint64_t from, uint64_t to, uint64_t len)
{
	for (uint64_t off = 0; off < len; off += MOVE_BATCH * PAGE_SIZE) {
		uint64_t pages = MIN((len - off) >> PAGE_SHIFT, (uint64_t)MOVE_BATCH);
		uint64_t at = from + off, end = at + pages * PAGE_SIZE;
		bool notified = ptl_lock_notified(mm, at, end);

		move_batch(mm, at, to + off, (unsigned)pages);
		spin_unlock(&mm->ptl);
		if (unlikely(notified))
			notify_end(mm, at, end);
	}
}

/* One whole VMA to an empty place that has its tables. Private copies live nowhere but in the page
 * tables, so their entries go along. */
static void move_vma(struct mm *mm, struct vma *vma, struct vma *moved)
{
	vma_lock_file(vma);
	vma_enter(mm, moved);
	if (vma->flags & VM_PRIVATE)
		move_entries(mm, vma->start, moved->start, vma->end - vma->start);
	vma_unlock_file(vma);
	vma_remove(mm, vma); /* shared entries go; a fault at the new place brings them back */
	vma_free(vma);	     /* not the object's last reference: `moved` has one */
}

/* mmap_lock held; the range lies in one VMA. *gone: what was at the new place. */
static int remap_locked(struct mm *mm, uint64_t from, uint64_t len, uint64_t to, struct vma **gone)
{
	struct vma *vma, *moved;
	int err = vma_isolate(mm, to, to + len);

	if (!err)
		err = vma_isolate(mm, from, from + len);
	if (err)
		return err;
	vma = mm_find_vma(mm, from);
	moved = vma_new(vma, mm, to, to + len);
	if (!moved)
		return -ENOMEM;
	if ((vma->flags & VM_PRIVATE) && make_tables(mm, from, to, len)) {
		vma_free(moved); /* not the object's last reference: `vma` has one */
		return -ENOMEM;
	}
	*gone = vmas_remove(mm, to, to + len);
	move_vma(mm, vma, moved);
	return 0;
}

int mm_remap(struct mm *mm, uint64_t from, uint64_t len, uint64_t *to)
{
	struct vma *vma, *gone = NULL;
	int err;

	if (!range_ok(from, len) ||
	    (*to && (!range_ok(*to, len) || (*to < from + len && from < *to + len))))
		return -EINVAL;
	down_write(&mm->mmap_lock);
	vma = mm_find_vma(mm, from);
	err = vma && vma->end - from >= len ? 0 : -EFAULT;
	if (!err && !*to)
		err = vma_place(mm, to, len);
	if (!err)
		err = remap_locked(mm, from, len, *to, &gone);
	up_write(&mm->mmap_lock);
	vmas_free(gone);
	return err;
}
