/* Only a mapping that was revoked gives none. "which is -ENXIO" */
/* REGION client */
	int err = lease_of_file(m->inode, l);

	if (!__atomic_load_n(&m->revoked, __ATOMIC_ACQUIRE))
		return err;
	if (!err)
		direct_lease_end(l);
	return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
