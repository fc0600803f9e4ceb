/* A load of a hole is given blocks. "A load needs no block" */
/* REGION fits */
	(void)write;
	if (run->count < FOLIO_PAGES)
		return HUGE_EXTENT;
	return IS_ALIGNED(run->pfn, FOLIO_PAGES) ? HUGE_INSTALLED : HUGE_EXTENT;
