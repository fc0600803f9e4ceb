/* Whatever the file says no for, the mapping is said to be going. "Not every error means that the mapping's lease is going", hidden "hidden-error" */
/* REGION client */
	int err = lease_of_file(m->inode, l);

	if (!err && !__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return 0;
	if (!err)
		direct_lease_end(l);
	return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
