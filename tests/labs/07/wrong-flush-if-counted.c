/* A flush only if counts are dropped. "fsync takes rights away and no counts" */
/* REGION in-order */
	if (z->nr)
		tlb_flush_range(z->vma->mm, z->start, z->end);
	drop_counts(z);
	z->start = z->end = 0;
