/* As many as the limit are taken for more. "The limit is missed: FLUSH_ALL_ABOVE pages are not more" */
/* REGION forget */
	if (this_cpu()->mm != f->mm)
		return;
	if ((f->end - f->start) >> PAGE_SHIFT >= FLUSH_ALL_ABOVE) {
		tlb_flush_all_local();
		return;
	}
	for (uint64_t va = f->start; va < f->end; va += PAGE_SIZE)
		tlb_flush_page_local(va);
