/* The word is looked at once more behind the mark. "nothing read before or behind it";
 * never "count before you mark", never "A mapping is a holder",
 * never "a put that leaves a mapping behind", never "plain store": parts 2 and 3 are right. */
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
