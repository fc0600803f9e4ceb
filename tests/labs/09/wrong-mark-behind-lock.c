/* The mark comes when the lock is free: a fault in between. "the mark and the look at it have to exclude" */
/* REGION revoke */
	uint64_t first, last;

	down_write(&m->inode->fault_lock);
	range_of(m, &first, &last);
	unmap_mapping_range(&m->inode->mapping, first, last);
	up_write(&m->inode->fault_lock);
	__atomic_store_n(&m->revoked, true, __ATOMIC_RELEASE);
