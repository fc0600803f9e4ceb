/* A flush for each run. "One flush for all that was gathered" */
/* REGION in-order */
	for (unsigned i = 0; i < z->nr; i++) {
		tlb_flush_range(z->vma->mm, z->start, z->end);
		page_map_put_run(z->run[i].first, z->run[i].nr);
	}
	if (!z->nr)
		for (uint64_t va = z->start; va < z->end; va += PAGE_SIZE)
			tlb_flush_range(z->vma->mm, va, va + PAGE_SIZE);
	z->nr = 0;
	z->start = z->end = 0;
