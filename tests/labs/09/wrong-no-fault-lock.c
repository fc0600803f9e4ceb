/* The mark is an atomic store, which is thought to be enough. "a fault looked at m->revoked, was overtaken" */
/* REGION revoke */
	uint64_t first, last;

	__atomic_store_n(&m->revoked, true, __ATOMIC_SEQ_CST);
	smp_mb();
	range_of(m, &first, &last);
	unmap_mapping_range(&m->inode->mapping, first, last);
