/* Where the blocks begin is asked of loads only. "has no bits for the lower 21 of an address" */
/* REGION fits */
	if (run->count < FOLIO_PAGES)
		return HUGE_EXTENT;
	if (!run->written && !write)
		return HUGE_ZEROES;
	return !write && !IS_ALIGNED(run->pfn, FOLIO_PAGES) ? HUGE_EXTENT : HUGE_INSTALLED;
