/* No case for this CPU alone: whoever runs it is called, and a call to oneself costs no interrupt. Everything is
 * forgotten, whatever the range. */
/* REGION in-order */
	const uint64_t start = z->start, end = z->end;

	z->start = z->end = 0;
	if (start != end)
		tlb_flush_range(z->vma->mm, start, end);
	drop_counts(z);
/* REGION whom */
	struct flush f = {mm, start, end};

	if (end <= start)
		return;
	__atomic_fetch_add(&tlb_flushes, 1, __ATOMIC_SEQ_CST); /* locked: the barrier */
	flush_others(__atomic_load_n(&mm->active, __ATOMIC_SEQ_CST), &f);
/* REGION forget */
	if (this_cpu()->mm == f->mm)
		tlb_flush_all_local();
