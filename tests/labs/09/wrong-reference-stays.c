/* The lease goes again, and the file's reference stays. "the file has a reference too many" */
/* REGION client */
	int err;

	if (__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
	err = lease_of_file(m->inode, l);
	if (!__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return err;
	if (!err)
		lease_unlock(&l->lease);
	return refuse(-ENXIO, "the mapping of %s is %s", m->inode->name, state_of(m));
