/* The counts stay. "mapped nowhere and counted as mapped" */
/* REGION in-order */
	tlb_flush_range(z->vma->mm, z->start, z->end);
	z->nr = 0;
	z->start = z->end = 0;
