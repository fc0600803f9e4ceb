/* No fault is served any more, and what is mapped stays mapped. "goes out of the page tables" */
/* REGION revoke */
	(void)range_of;
	down_write(&m->inode->fault_lock);
	__atomic_store_n(&m->revoked, true, __ATOMIC_RELEASE);
	up_write(&m->inode->fault_lock);
