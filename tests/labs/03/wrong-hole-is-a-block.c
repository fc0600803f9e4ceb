/* A hole is taken for a block. "there is no record of frame zero" */
/* REGION answer */
	if (*entry & (ENTRY_EMPTY | ENTRY_ZERO)) {
		err = inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
		if (err)
			return err;

		err = insert_entry(inode, vmf->pgoff, &block, entry);
		if (unlikely(err))
			return refuse(err, "%s", why_no_entry(err));
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
