/* Whatever goes wrong, there is said to be no memory. "looks for it in the wrong place", hidden "hidden-error" */
/* REGION answer */
	if (*entry & (ENTRY_EMPTY | ENTRY_ZERO)) {
		if (inode->ops->map(inode, vmf->pgoff, vmf->write, &block))
			return -ENOMEM;
		if (!block.pfn)
			return vmf_insert_zero(vmf) ? refuse(-ENOMEM, "no memory") : 0;
		err = insert_entry(inode, vmf->pgoff, &block, entry);
		if (err)
			return refuse(-ENOMEM, "%s", why_no_entry(err));
	}
	if (vmf->write) {
		*entry |= ENTRY_DIRTY;
		times_note_store(inode);
		if ((vmf->vma->flags & VM_SYNC) && map_settle(inode))
			return -ENOMEM;
	}
