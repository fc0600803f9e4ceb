/* SPDX-License-Identifier: MIT */
/*
 * Files of a region without page records: mapped, and never pinned.
 *
 * "Page-less" DAX was all there was before Linux 4.5, and a "limited" mode of it survived where a
 * device had no room for records: the CPU loads and stores as ever, and get_user_pages() finds no
 * record and fails (-EFAULT), so there is nobody whom truncate could miss. That is the only
 * exemption from "DAX requires 'struct page'" (2017). The page-table entry says which kind a pfn is
 * of: PTE_DEVMAP has a record, PTE_SPECIAL has none.
 *
 * The steps are those of fault.c without the record: entry, block, page-table entry.
 */
#include "dax/file/internal.h"
#include "dax/mount/internal.h"

/* The entry is locked. *entry is what it becomes, whether or not this fails. */
static int fault_locked(struct dax_inode *inode, struct vm_fault *vmf, uint64_t *entry)
{
	struct dax_block block;
	int err;

	if (*entry & ENTRY_EMPTY) {
		err = inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
		if (err)
			return err;
		if (!block.pfn)
			return vmf_insert_zero(vmf) ? refuse(-ENOMEM, "no memory") : 0;
		if (block.fresh) /* the hole may be mapped as zeroes elsewhere */
			unmap_mapping_range(&inode->mapping, vmf->pgoff, vmf->pgoff + 1);
		*entry = entry_for(inode->fs, block.pfn);
	}
	if (vmf->write) {
		*entry |= ENTRY_DIRTY;
		times_note_store(inode);
	}
	err = vmf_insert_special(vmf, entry_to_pfn(*entry), vmf->write);
	return err ? refuse(err, "no memory for a page table") : 0;
}

int limited_fault_held(struct dax_inode *inode, struct vm_fault *vmf)
{
	const bool killed = !pmem_is_present(inode->fs->region);
	uint64_t entry;
	int err;

	assert_rwsem_held(&inode->fault_lock);
	entry = !killed && vmf->pgoff << PAGE_SHIFT < inode->size ? entry_lock(inode, vmf->pgoff)
								  : 0;
	if (killed) {
		err = pmem_refuse_fault(inode->fs->region);
	} else if (entry) {
		err = fault_locked(inode, vmf, &entry);
		entry_unlock(inode, vmf->pgoff, entry);
	} else if (vmf->pgoff << PAGE_SHIFT >= inode->size) {
		err = refuse(-EFAULT, "beyond the end of the file (SIGBUS)");
	} else {
		err = refuse(-ENOMEM, "no memory for an index entry");
	}
	return err;
}

static int limited_fault(struct vm_fault *vmf)
{
	struct dax_inode *inode = vmf->vma->private;
	int err;

	down_read(&inode->fault_lock);
	err = limited_fault_held(inode, vmf);
	up_read(&inode->fault_lock);
	return err;
}

static void limited_open(struct vma *vma)
{
	dax_vma_ops.open(vma);
}

static void limited_close(struct vma *vma)
{
	dax_vma_ops.close(vma);
}

static void limited_describe(const struct vma *vma, char *buf, unsigned n)
{
	dax_vma_ops.describe(vma, buf, n);
}

static int limited_sync(struct vma *vma, uint64_t start, uint64_t end)
{
	return dax_vma_ops.sync(vma, start, end);
}

const struct vma_ops dax_limited_vma_ops = {
	.fault = limited_fault,
	.open = limited_open,
	.close = limited_close,
	.describe = limited_describe,
	.sync = limited_sync,
};
