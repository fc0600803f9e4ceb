/* An error without a sentence. "An error comes with a sentence here" */
/* REGION client */
	int err = lease_of_file(m->inode, l);

	if (!__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return err;
	if (!err)
		direct_lease_end(l);
	return -ENXIO;
