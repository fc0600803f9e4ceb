/* No case for this CPU alone: whoever runs it is called, and a call to oneself costs no interrupt. So it may be moved, and
 * preemption stays on. */
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
	uint64_t left = (f->end - f->start) / PAGE_SIZE;

	if (this_cpu()->mm != f->mm)
		left = 0;
	else if (left > FLUSH_ALL_ABOVE)
		tlb_flush_all_local(), left = 0;
	while (left--)
		tlb_flush_page_local(f->start + left * PAGE_SIZE);
