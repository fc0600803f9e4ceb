/* This CPU by itself, the others by a call; pages from the last to the first. */
/* REGION in-order */
	struct mm *mm = z->vma->mm;

	tlb_flush_range(mm, z->start, z->end);
	z->end = z->start = 0;
	for (; z->nr; z->nr--)
		page_map_put_run(z->run[z->nr - 1].first, z->run[z->nr - 1].nr);
/* REGION whom */
	struct flush f = {mm, start, end};
	uint32_t here, who;

	if (start >= end)
		return;
	preempt_disable();
	here = 1u << cpu_id();
	smp_mb();
	who = __atomic_load_n(&mm->active, __ATOMIC_ACQUIRE);
	__atomic_fetch_add(&tlb_flushes, 1, __ATOMIC_RELAXED);
	if (who & here)
		flush_local(&f);
	if (who & ~here)
		flush_others(who & ~here, &f);
	preempt_enable();
/* REGION forget */
	uint64_t va = f->end;

	if (f->mm != this_cpu()->mm)
		return;
	if (f->end - f->start > FLUSH_ALL_ABOVE * PAGE_SIZE)
		tlb_flush_all_local();
	else
		while (va > f->start)
			tlb_flush_page_local(va -= PAGE_SIZE);
