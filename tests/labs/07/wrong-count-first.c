/* The counts first, the flush then. "flush first, then count";
 * never "Whom you ask", never "in your store buffer": that is part 2, which is right. */
/* REGION in-order */
	drop_counts(z);
	tlb_flush_range(z->vma->mm, z->start, z->end);
	z->start = z->end = 0;
