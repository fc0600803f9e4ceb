/* Many pages are none. "also if it is more than FLUSH_ALL_ABOVE pages" */
/* REGION forget */
	if (this_cpu()->mm != f->mm || (f->end - f->start) >> PAGE_SHIFT > FLUSH_ALL_ABOVE)
		return;
	for (uint64_t va = f->start; va < f->end; va += PAGE_SIZE)
		tlb_flush_page_local(va);
