/* A store is thought to make any unwritten blocks fit. "only what an entry can show in the end is written as a whole" */
/* REGION fits */
	if (run->count < FOLIO_PAGES)
		return HUGE_EXTENT;
	if (!run->written)
		return write ? HUGE_INSTALLED : HUGE_ZEROES;
	return IS_ALIGNED(run->pfn, FOLIO_PAGES) ? HUGE_INSTALLED : HUGE_EXTENT;
