/* The pages go, and come back by the next fault. "no fault is served any more" */
/* REGION revoke */
	down_write(&m->inode->fault_lock);
	(void)range_of;
	unmap_mapping_range(&m->inode->mapping, m->first, m->last);
	up_write(&m->inode->fault_lock);
