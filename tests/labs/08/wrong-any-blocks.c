/* Where the blocks begin is not asked. "has no bits for the lower 21 of an address" */
/* REGION fits */
	if (run->count < FOLIO_PAGES)
		return HUGE_EXTENT;
	return run->written || write ? HUGE_INSTALLED : HUGE_ZEROES;
