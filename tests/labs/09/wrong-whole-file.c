/* All of the file is unmapped, behind the lock. "Other mappings of the file hold no lease of yours" */
/* REGION revoke */
	(void)range_of;
	down_write(&m->inode->fault_lock);
	__atomic_store_n(&m->revoked, true, __ATOMIC_RELEASE);
	up_write(&m->inode->fault_lock);
	unmap_mapping_range(&m->inode->mapping, 0, ~0ull >> PAGE_SHIFT);
