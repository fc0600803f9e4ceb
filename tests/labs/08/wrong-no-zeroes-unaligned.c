/* Unwritten blocks that are not aligned are not shown as zeroes. "it is the blocks that have to be aligned, not zeroes" */
/* REGION fits */
	if (run->count < FOLIO_PAGES || (run->pfn && !IS_ALIGNED(run->pfn, FOLIO_PAGES)))
		return HUGE_EXTENT;
	return !run->written && !write ? HUGE_ZEROES : HUGE_INSTALLED;
