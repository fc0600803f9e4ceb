/* Whether a run is short is asked of what was written only. "a store to a short hole would be given blocks for all 512 pages" */
/* REGION fits */
	if (run->written && run->count < FOLIO_PAGES)
		return HUGE_EXTENT;
	if (!run->written && !write)
		return run->count < FOLIO_PAGES ? HUGE_EXTENT : HUGE_ZEROES;
	return run->pfn && !IS_ALIGNED(run->pfn, FOLIO_PAGES) ? HUGE_EXTENT : HUGE_INSTALLED;
