/* SPDX-License-Identifier: MIT */
/*
 * The fault path of a DAX file: file page → entry → block → record → page-table entry.
 *
 * Under the fault lock (for reading) nothing can be truncated; under the entry lock nobody else
 * fills the same page. A hole that is read shows the shared page of zeroes; the store that turns it
 * into a block takes those zeroes out of every address space first, else a reader would go on
 * seeing them.
 */
#include "dax/file/internal.h"
#include "dax/mount/internal.h"

MUSEUM(hole_shows_zeroes, "hole-shows-zeroes",
       "a block that fills a hole leaves the zeroes mapped that others were shown; shown by "
       "selftest dax.hole-filled-by-store");
MUSEUM_EXPLORED(fault_unlocked, "fault-unlocked",
		"a fault does not hold the fault lock: the block that it found is another file's "
		"when it maps it; found by explore file.fault-truncate");
STEP_POINT_DECLARE(fault_entry_made); /* and nothing is mapped yet: E-1 */

/* The record exists and says that it may be used by itself, and so do the others of its frame.
 * False: no memory. The device stays bound while it is mounted, so what is there stays. */
static bool __attribute__((noinline)) prepare_record(struct dax_inode *inode, struct page *page)
{
	if (!page_record_exists(page) && page_records_populate(page_to_pfn(page), 1))
		return false;
	page_mark_single(page);
	__atomic_store_n(&inode->single_frame, ALIGN_DOWN((uint64_t)page, PAGE_SIZE),
			 __ATOMIC_RELAXED);
	return true;
}

/* The entry of `pgoff` becomes one for block `b`, whose record is linked; *entry is its value then.
 * 0, -ENOMEM, -ENXIO (the lifetime found the device going), -EIO (page_attach()). */
static inline int insert_entry(struct dax_inode *inode, uint64_t pgoff, const struct dax_block *b,
			       uint64_t *entry)
{
	struct page *page = pfn_to_page(b->pfn);
	uint64_t frame = ALIGN_DOWN((uint64_t)page, PAGE_SIZE);
	int err;

	/* Zeroes first: if the record cannot be made, the next fault finds a block that is not
	 * fresh. */
	if (unlikely(b->fresh) && !museum_on(hole_shows_zeroes))
		unmap_mapping_range(&inode->mapping, pgoff, pgoff + 1);
	if (unlikely(__atomic_load_n(&inode->single_frame, __ATOMIC_RELAXED) != frame) &&
	    !prepare_record(inode, page))
		return -ENOMEM;
	/* What a 2 MiB entry of an earlier file left behind while it was held. */
	if (unlikely(page_state(page_to_first(page)) & PAGE_FOLIO))
		page_folio_split(page_to_first(page));
	if (unlikely(b->shared)) {
		share_insert(page);
		*entry = b->pfn << PAGE_SHIFT | ENTRY_SHARED;
		return 0;
	}
	err = page_attach(page, inode, pgoff);
	if (likely(!err))
		*entry = entry_for(inode->fs, b->pfn);
	return err;
}

static const char *why_no_entry(int err)
{
	if (err == -ENOMEM)
		return "no memory for a page record";
	if (err == -EIO)
		return "another file of this image has the same block: unmount it, and run e2fsck "
		       "-f on it (SIGBUS)";
	return "the device is going (SIGBUS)";
}

/* The entry is locked. *entry is what it becomes, whether or not this fails. */
static inline __attribute__((always_inline)) int fault_locked(struct dax_inode *inode,
							      struct vm_fault *vmf, uint64_t *entry)
{
	struct dax_block block;
	int err;

	if ((vmf->vma->flags & VM_PRIVATE) && (vmf->write || pte_is_anon(vmf_entry(vmf))))
		return dax_private_fault(inode, vmf, *entry);
	if (unlikely(*entry & ENTRY_SHARED) && vmf->write) {
		err = layout_break_fault(inode, LEASE_ALL);
		if (err)
			return err;
		share_give_up(inode, vmf->pgoff, entry);
	}
	/* LAB 03 answer: the block of the page, and the entry that names it */
	if (*entry & (ENTRY_EMPTY | ENTRY_ZERO)) {
		err = inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
		if (err)
			return err;
		if (!block.pfn) /* a hole, read: shown as zeroes, without an entry */
			return vmf_insert_zero(vmf) ? refuse(-ENOMEM, "no memory") : 0;
		err = insert_entry(inode, vmf->pgoff, &block, entry);
		if (unlikely(err))
			return refuse(err, "%s", why_no_entry(err));
	}
	if (vmf->write) {
		*entry |= ENTRY_DIRTY;
		times_note_store(inode);
		/* Before the store can be made, else it is there and its block may be lost. */
		if (unlikely(vmf->vma->flags & VM_SYNC)) {
			err = map_settle(inode);
			if (err)
				return err;
		}
	}
	/* END */
	STEP_POINT(fault_entry_made);
	err = vmf_insert_pfn(vmf, entry_pgoff_to_pfn(*entry, vmf->pgoff), vmf->write);
	return err ? refuse(err, "no memory for a page table") : 0;
}

/* By 2 MiB if everything fits, else by the single page. Under the fault lock, for reading. */
static inline __attribute__((always_inline)) int fault_by_size(struct dax_inode *inode,
							       struct vm_fault *vmf)
{
	enum huge_result result = huge_fits(inode, vmf);
	uint64_t *slot, entry = entry_lock_at(inode, vmf->pgoff, result == HUGE_INSTALLED, &slot);
	int err = 0;

	if (result == HUGE_INSTALLED && likely(entry))
		result = entry & ENTRY_PMD ? huge_fault(inode, vmf, &entry, &slot) : HUGE_ENTRIES;
	huge_note(inode, vmf, result);
	if (unlikely(!entry))
		return refuse(-ENOMEM, "no memory for an index entry");
	if (result >= HUGE_SERVED)
		err = fault_locked(inode, vmf, &entry);
	entry_unlock_at(inode, vmf->pgoff, slot, entry);
	return err;
}

/* The device was killed. Whatever the fault would find there, in an entry or without one, is its
 * memory; only a private mapping's own copy is not. */
static int __attribute__((noinline)) fault_of_killed(struct dax_inode *inode, struct vm_fault *vmf)
{
	if ((vmf->vma->flags & VM_PRIVATE) && pte_is_anon(vmf_entry(vmf)))
		return dax_private_fault(inode, vmf, 0);
	return pmem_refuse_fault(inode->fs->region);
}

/* Under the fault lock, for reading. */
static inline __attribute__((always_inline)) int fault_held(struct dax_inode *inode,
							    struct vm_fault *vmf)
{
	if (unlikely(vmf->pgoff << PAGE_SHIFT >= inode->size))
		return refuse(-EFAULT, "beyond the end of the file (SIGBUS)");
	if (unlikely(!pmem_is_present(inode->fs->region)))
		return fault_of_killed(inode, vmf);
	return fault_by_size(inode, vmf);
}

static int dax_fault(struct vm_fault *vmf)
{
	struct dax_inode *inode = vmf->vma->private;
	int err;

	if (museum_explored(fault_unlocked))
		return fault_held(inode, vmf);
	down_read(&inode->fault_lock);
	err = fault_held(inode, vmf);
	up_read(&inode->fault_lock);
	return err;
}

int dax_fault_held(struct dax_inode *inode, struct vm_fault *vmf)
{
	assert_rwsem_held(&inode->fault_lock);
	return fault_held(inode, vmf);
}

static void dax_vma_open(struct vma *vma)
{
	dax_get(vma->private);
}

static void dax_vma_close(struct vma *vma)
{
	dax_put(vma->private);
}

static void dax_vma_describe(const struct vma *vma, char *buf, unsigned n)
{
	const struct dax_inode *inode = vma->private;

	snprintf(buf, n, "%s page %lu", inode->name, vma->pgoff);
}

static int dax_vma_sync(struct vma *vma, uint64_t start, uint64_t end)
{
	uint64_t first = vma->pgoff + ((start - vma->start) >> PAGE_SHIFT);

	return dax_fsync_range(vma->private, first, first + ((end - start) >> PAGE_SHIFT));
}

const struct vma_ops dax_vma_ops = {
	.fault = dax_fault,
	.open = dax_vma_open,
	.close = dax_vma_close,
	.describe = dax_vma_describe,
	.sync = dax_vma_sync,
	.gup_begin = dax_gup_begin,
	.gup_end = dax_gup_end,
};
