/* What page_mark_busy() released itself is taken off the count twice. "What is released counts once, whoever released it" */
/* REGION freed */
	__atomic_fetch_add(&d->busy, 1, __ATOMIC_ACQ_REL);
	if (page_mark_busy(record) != PAGE_MARKED)
		__atomic_fetch_sub(&d->busy, 1, __ATOMIC_ACQ_REL);
