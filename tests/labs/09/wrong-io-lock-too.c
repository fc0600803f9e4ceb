/* Every lock of the file is taken. "the revoke takes the one that faults hold, and no other" */
/* REGION revoke */
	uint64_t first, last;

	(void)museum_on(direct_no_lock);
	down_write(&m->inode->io_lock);
	down_write(&m->inode->fault_lock);
	__atomic_store_n(&m->revoked, true, __ATOMIC_RELEASE);
	range_of(m, &first, &last);
	unmap_mapping_range(&m->inode->mapping, first, last);
	up_write(&m->inode->fault_lock);
	up_write(&m->inode->io_lock);
