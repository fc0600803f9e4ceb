/* SPDX-License-Identifier: MIT */
/*
 * Private mappings of DAX files: the file's pages until a store, then a copy in RAM.
 *
 * A page that is only read is the file's own block, mapped read-only; writes by others show
 * through. A store copies the block (a hole is copied as zeroes) and the copy is nobody's but the
 * mapping's: fsync does not see it, a hole punched into the file leaves it, truncate takes it away
 * if it lies beyond the new end. The entry of the file page is locked while the block is copied, so
 * a fault that fills the page cannot come in between; the fault lock keeps layout changes out.
 */
#include "dax/file/internal.h"

int dax_private_fault(struct dax_inode *inode, struct vm_fault *vmf, uint64_t entry)
{
	struct dax_block block = {.pfn = entry_pgoff_to_pfn(entry, vmf->pgoff)};
	uint64_t seen = vmf_entry(vmf);
	int err = 0;

	if (pte_is_anon(seen))
		return vmf->write ? vmf_write_anon(vmf, seen) : 0;
	if (entry & (ENTRY_EMPTY | ENTRY_ZERO))
		err = inode->ops->map(inode, vmf->pgoff, false, &block);
	if (err)
		return err;
	return vmf_insert_anon(vmf, seen, block.pfn ? phys_to_virt(block.pfn << PAGE_SHIFT) : NULL);
}
