/* The layer's sentence is written over by one that knows less. "which knows more than yours", hidden "hidden-error" */
/* REGION answer */
	if (*entry & (ENTRY_EMPTY | ENTRY_ZERO)) {
		err = inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
		if (err)
			return refuse(err, "the page could not be mapped");
		if (!block.pfn)
			return vmf_insert_zero(vmf) ? refuse(-ENOMEM, "no memory") : 0;
		err = insert_entry(inode, vmf->pgoff, &block, entry);
		if (err)
			return refuse(err, "%s", why_no_entry(err));
	}
	if (vmf->write) {
		*entry |= ENTRY_DIRTY;
		times_note_store(inode);
		if (vmf->vma->flags & VM_SYNC) {
			err = map_settle(inode);
			if (err)
				return refuse(err, "it is not durable");
		}
	}
