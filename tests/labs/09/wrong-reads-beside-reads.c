/* The fault lock for reading, beside the faults. "hold it for writing while you change" */
/* REGION revoke */
	uint64_t first, last;

	down_read(&m->inode->fault_lock);
	__atomic_store_n(&m->revoked, true, __ATOMIC_RELEASE);
	range_of(m, &first, &last);
	unmap_mapping_range(&m->inode->mapping, first, last);
	up_read(&m->inode->fault_lock);
