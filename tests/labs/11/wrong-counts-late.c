/* The count comes behind the mark, and the release may come between. "count before you mark" */
/* REGION freed */
	if (page_mark_busy(record) == PAGE_MARKED)
		__atomic_fetch_add(&d->busy, 1, __ATOMIC_ACQ_REL);
