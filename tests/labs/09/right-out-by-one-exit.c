/* The owner's functions are looked up first; the pages go behind the fault lock; one way out of part 3. */
/* REGION take-back */
	const struct lease_ops *owner = l->ops;

	if (owner->revoke)
		owner->revoke(l);
	spin_lock(&lock);
	take_out(l);
	spin_unlock(&lock);
	if (owner->gone)
		owner->gone(l);
/* REGION revoke */
	uint64_t first, last;

	/* A fault that saw the mapping live holds the lock for reading until its page is mapped. */
	down_write(&m->inode->fault_lock);
	m->revoked = true;
	up_write(&m->inode->fault_lock);
	range_of(m, &first, &last);
	unmap_mapping_range(&m->inode->mapping, first, last);
/* REGION client */
	int err = lease_of_file(m->inode, l);

	if (__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE)) {
		if (!err)
			direct_lease_end(l);
		err = refuse(-ENXIO, "%s is wanted back: the mapping is %s", m->inode->name, state_of(m));
	}
	return err;
