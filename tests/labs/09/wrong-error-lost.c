/* Only the mapping's state is looked at: a lease that was not set is taken for one. "told that he has a lease, and there is none", hidden "hidden-error" */
/* REGION client */
	int err = lease_of_file(m->inode, l);

	if (!__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return 0;
	if (!err)
		direct_lease_end(l);
	return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
