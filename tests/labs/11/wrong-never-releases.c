/* Who marks never releases. "The last holder may have gone before you set the mark" */
/* REGION mark-busy */
	(void)held_by;
	old = set_mark(record);
	return old & PAGE_BUSY ? PAGE_MARKED_BEFORE : PAGE_MARKED;
