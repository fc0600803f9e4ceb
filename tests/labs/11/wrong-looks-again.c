/* The word is looked at once more behind the mark. "nothing read before or behind it" */
/* REGION mark-busy */
	old = set_mark(record);
	if (old & PAGE_BUSY)
		return PAGE_MARKED_BEFORE;
	old = page_state(record);
	if (old & PAGE_FOLIO)
		held_by &= ~PAGE_MAP_MASK;
	if (old & (held_by & ~PAGE_BUSY))
		return PAGE_MARKED;
	page_release_busy(record);
	return PAGE_RELEASED;
