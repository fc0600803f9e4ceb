/* One page is forgotten, whatever the range. "Everything between start and end has to be forgotten" */
/* REGION forget */
	if (this_cpu()->mm == f->mm)
		tlb_flush_page_local(f->start);
