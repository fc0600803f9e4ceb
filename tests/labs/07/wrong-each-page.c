/* Pages go one by one, however many. "forgetting them one by one costs more" */
/* REGION forget */
	if (this_cpu()->mm != f->mm)
		return;
	for (uint64_t va = f->start; va < f->end; va += PAGE_SIZE)
		tlb_flush_page_local(va);
