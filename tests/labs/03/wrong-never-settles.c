/* The block map of a MAP_SYNC mapping is not made durable. "has to be durable when the fault ends" */
/* REGION answer */
	if (*entry & (ENTRY_EMPTY | ENTRY_ZERO)) {
		err = inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
		if (err)
			return err;
		if (!block.pfn)
			return vmf_insert_zero(vmf) ? refuse(-ENOMEM, "no memory") : 0;
		err = insert_entry(inode, vmf->pgoff, &block, entry);
		if (unlikely(err))
			return refuse(err, "%s", why_no_entry(err));
	}
	if (vmf->write) {
		*entry |= ENTRY_DIRTY;
		times_note_store(inode);
	}
