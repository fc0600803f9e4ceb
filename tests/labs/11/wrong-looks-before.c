/* The holders are looked at before the mark. "nothing read before or behind it"; hidden "hidden-dice" */
/* REGION mark-busy */
	uint64_t seen = page_state(record);

	old = set_mark(record);
	if (old & PAGE_FOLIO)
		held_by &= ~PAGE_MAP_MASK;
	if (old & PAGE_BUSY)
		return PAGE_MARKED_BEFORE;
	if (seen & held_by)
		return PAGE_MARKED;
	page_release_busy(record);
	return PAGE_RELEASED;
