/* A fault without memory for the zeroes fails without a word. "keeps a sentence" */
/* REGION answer */
	if (*entry & (ENTRY_EMPTY | ENTRY_ZERO)) {
		err = inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
		if (err)
			return err;
		if (!block.pfn)
			return vmf_insert_zero(vmf);
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
				return err;
		}
	}
