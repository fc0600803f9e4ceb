/* Aligned is enough. "run->count says how many pages are alike" */
/* REGION fits */
	if (!run->written && !write)
		return run->count < FOLIO_PAGES ? HUGE_EXTENT : HUGE_ZEROES;
	return IS_ALIGNED(run->pfn, FOLIO_PAGES) ? HUGE_INSTALLED : HUGE_EXTENT;
