/* The end of a range is taken for its last page. "`last` is the page behind the last one" */
/* REGION revoke */
	uint64_t first, last;

	down_write(&m->inode->fault_lock);
	__atomic_store_n(&m->revoked, true, __ATOMIC_RELEASE);
	range_of(m, &first, &last);
	unmap_mapping_range(&m->inode->mapping, first, last + 1);
	up_write(&m->inode->fault_lock);
