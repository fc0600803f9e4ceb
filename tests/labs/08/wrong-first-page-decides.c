/* What the first page is, all are. "run->count says how many pages are alike" */
/* REGION fits */
	if (!run->written && !write)
		return HUGE_ZEROES;
	return IS_ALIGNED(run->pfn, FOLIO_PAGES) && run->count >= FOLIO_PAGES ? HUGE_INSTALLED
									      : HUGE_EXTENT;
