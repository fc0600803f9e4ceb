/* The counts first, the flush then. "flush first, then count" */
/* REGION in-order */
	drop_counts(z);
	tlb_flush_range(z->vma->mm, z->start, z->end);
	z->start = z->end = 0;
