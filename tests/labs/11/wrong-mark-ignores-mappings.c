/* Who marks takes a mapping for nothing. "A mapping is a holder of a single page" */
/* REGION mark-busy */
	old = set_mark(record);
	held_by &= ~PAGE_MAP_MASK;
	if (old & held_by)
		return old & PAGE_BUSY ? PAGE_MARKED_BEFORE : PAGE_MARKED;
	page_release_busy(record);
	return PAGE_RELEASED;
