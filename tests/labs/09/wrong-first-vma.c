/* What the first VMA shows today is unmapped. "made more VMAs of the one" */
/* REGION revoke */
	(void)range_of;
	down_write(&m->inode->fault_lock);
	__atomic_store_n(&m->revoked, true, __ATOMIC_RELEASE);
	if (m->vma)
		unmap_mapping_range(&m->inode->mapping, m->vma->pgoff,
				    m->vma->pgoff + (m->vma->end - m->vma->start) / PAGE_SIZE);
	up_write(&m->inode->fault_lock);
