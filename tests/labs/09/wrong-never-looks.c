/* Whether the mapping's lease stands is not asked. "is not one any more, which is -ENXIO" */
/* REGION client */
	return lease_of_file(m->inode, l);
