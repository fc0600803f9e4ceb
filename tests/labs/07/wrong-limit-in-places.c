/* The first and the last page are compared, and lie one less apart than they are. "one page more than FLUSH_ALL_ABOVE is more" */
/* REGION forget */
	if (this_cpu()->mm != f->mm)
		return;
	if ((f->end - PAGE_SIZE - f->start) >> PAGE_SHIFT > FLUSH_ALL_ABOVE) {
		tlb_flush_all_local();
		return;
	}
	for (uint64_t va = f->start; va < f->end; va += PAGE_SIZE)
		tlb_flush_page_local(va);
