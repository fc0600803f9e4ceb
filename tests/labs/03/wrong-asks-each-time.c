/* The file layer is asked at every fault, whatever the index says. "only where the entry names no block" */
/* REGION answer */
	{
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
		if (unlikely(vmf->vma->flags & VM_SYNC)) {
			err = map_settle(inode);
			if (err)
				return err;
		}
	}
