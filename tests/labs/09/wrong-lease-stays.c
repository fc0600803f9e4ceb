/* Refused, and the lease that was set stays. "then it has to go again" */
/* REGION client */
	int err = lease_of_file(m->inode, l);

	if (!__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return err;
	return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
