/* Looks before and behind, but not where the lease was refused in between. "whatever that said: -ENXIO" */
/* REGION client */
	int err;

	if (__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
	err = lease_of_file(m->inode, l);
	if (err)
		return err;
	if (!__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return 0;
	direct_lease_end(l);
	return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
