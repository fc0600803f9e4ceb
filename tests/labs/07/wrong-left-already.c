/* Whoever is asked forgets, whatever it runs. "what it has now is another's" */
/* REGION forget */
	if ((f->end - f->start) >> PAGE_SHIFT > FLUSH_ALL_ABOVE) {
		tlb_flush_all_local();
		return;
	}
	for (uint64_t va = f->start; va < f->end; va += PAGE_SIZE)
		tlb_flush_page_local(va);
