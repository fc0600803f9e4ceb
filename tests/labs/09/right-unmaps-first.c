/* Under the lock the order of mark and unmapping is all the same; a client is asked for twice. */
/* REGION take-back */
	void (*gone)(struct lease *) = l->ops->gone;

	if (l->ops->revoke)
		(*l->ops->revoke)(l);
	spin_lock(&lock);
	take_out(l);
	spin_unlock(&lock);
	if (gone)
		gone(l);
/* REGION revoke */
	down_write(&m->inode->fault_lock);
	unmap_mapping_range(&m->inode->mapping, m->first, m->last);
	__atomic_store_n(&m->revoked, true, __ATOMIC_SEQ_CST);
	up_write(&m->inode->fault_lock);
	(void)range_of;
/* REGION client */
	int err = 0;

	if (!__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE)) {
		err = lease_of_file(m->inode, l);
		if (!__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
			return err;
		direct_lease_end(l); /* has no effect on a lease that was not set */
	}
	return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
