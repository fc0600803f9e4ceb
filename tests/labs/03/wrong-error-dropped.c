/* What the entry could not be is not looked at. "without a record the page must not be mapped" */
/* REGION answer */
	if (*entry & (ENTRY_EMPTY | ENTRY_ZERO)) {
		err = inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
		if (err)
			return err;
		if (!block.pfn)
			return vmf_insert_zero(vmf) ? refuse(-ENOMEM, "no memory") : 0;
		insert_entry(inode, vmf->pgoff, &block, entry);
		(void)why_no_entry;
	}
	if (vmf->write) {
		*entry |= ENTRY_DIRTY;
		times_note_store(inode);
		if (unlikely(vmf->vma->flags & VM_SYNC)) {
			err = map_settle(inode);
			if (err)
				return err;
		}
	}
