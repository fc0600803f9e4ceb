/* Everything is forgotten for one page. "All was forgotten for one page" */
/* REGION forget */
	(void)f;
	tlb_flush_all_local();
