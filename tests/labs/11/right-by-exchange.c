/* The mark is set by a compare and exchange, which also decides; the put asks case by case. */
/* REGION mark-busy */
	old = page_state(record);
	(void)set_mark;
	while (!__atomic_compare_exchange_n(&record->state, &old, old | PAGE_BUSY, true,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	if (old & PAGE_BUSY)
		return PAGE_MARKED_BEFORE;
	held_by = old & PAGE_FOLIO ? PAGE_REF_MASK : PAGE_REF_MASK | PAGE_MAP_MASK;
	if (!(old & held_by)) {
		page_release_busy(record);
		return PAGE_RELEASED;
	}
	return PAGE_MARKED;
/* REGION put-ends */
	if (!(old & PAGE_BUSY))
		return false;
	if (old & PAGE_FOLIO)
		return true;
	return !(old & PAGE_MAP_MASK);
/* REGION freed */
	__atomic_add_fetch(&d->busy, 1, __ATOMIC_SEQ_CST);
	switch (page_mark_busy(record)) {
	case PAGE_MARKED_BEFORE:
		__atomic_sub_fetch(&d->busy, 1, __ATOMIC_SEQ_CST);
		break;
	default: /* whoever releases it takes it off */
		break;
	}
