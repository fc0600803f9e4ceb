/* Looks whether the mapping is being broken, then sets the lease. "a break in between is seen by neither" */
/* REGION client */
	if (__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
	return lease_of_file(m->inode, l);
