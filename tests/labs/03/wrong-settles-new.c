/* Only a block that this very fault made is settled. "whatever the entry was before", hidden "hidden-settled" */
/* REGION answer */
	bool made = false;

	if (*entry & (ENTRY_EMPTY | ENTRY_ZERO)) {
		err = inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
		if (err)
			return err;
		if (!block.pfn)
			return vmf_insert_zero(vmf) ? refuse(-ENOMEM, "no memory") : 0;
		err = insert_entry(inode, vmf->pgoff, &block, entry);
		if (err)
			return refuse(err, "%s", why_no_entry(err));
		made = true;
	}
	if (vmf->write) {
		*entry |= ENTRY_DIRTY;
		times_note_store(inode);
		if (made && (vmf->vma->flags & VM_SYNC)) {
			err = map_settle(inode);
			if (err)
				return err;
		}
	}
