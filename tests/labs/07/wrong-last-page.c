/* The last page of the range is left out. "end is the address behind the last one" */
/* REGION forget */
	if (this_cpu()->mm != f->mm)
		return;
	if ((f->end - f->start) >> PAGE_SHIFT > FLUSH_ALL_ABOVE) {
		tlb_flush_all_local();
		return;
	}
	for (uint64_t va = f->start; va + PAGE_SIZE < f->end; va += PAGE_SIZE)
		tlb_flush_page_local(va);
