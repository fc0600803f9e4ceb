/* One page of the mapping is unmapped. "as range_of() has them" */
/* REGION revoke */
	(void)range_of;
	down_write(&m->inode->fault_lock);
	__atomic_store_n(&m->revoked, true, __ATOMIC_RELEASE);
	unmap_mapping_range(&m->inode->mapping, m->first, m->first + 1);
	up_write(&m->inode->fault_lock);
