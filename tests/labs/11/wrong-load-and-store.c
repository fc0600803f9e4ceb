/* The mark is a load and a store. "One read-modify-write sets the mark" */
/* REGION mark-busy */
	(void)set_mark;
	old = page_state(record);
	__atomic_store_n(&record->state, old | PAGE_BUSY, __ATOMIC_RELEASE);
	if (old & PAGE_FOLIO)
		held_by &= ~PAGE_MAP_MASK;
	if (old & held_by)
		return old & PAGE_BUSY ? PAGE_MARKED_BEFORE : PAGE_MARKED;
	page_release_busy(record);
	return PAGE_RELEASED;
