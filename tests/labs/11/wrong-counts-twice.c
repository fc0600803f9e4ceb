/* A folio of which two parts are freed counts twice. "it counts once, and page_mark_busy() says so" */
/* REGION freed */
	__atomic_fetch_add(&d->busy, 1, __ATOMIC_ACQ_REL);
	page_mark_busy(record);
