/* Other words of the same: the count is always taken off, of nothing or of one; masks instead of cases. */
/* REGION mark-busy */
	old = __atomic_fetch_or(&record->state, PAGE_BUSY, __ATOMIC_SEQ_CST);
	(void)set_mark, (void)held_by;
	if (old & PAGE_BUSY)
		return PAGE_MARKED_BEFORE;
	if (state_refs(old) || (!(old & PAGE_FOLIO) && state_maps(old)))
		return PAGE_MARKED;
	page_release_busy(record);
	return PAGE_RELEASED;
/* REGION put-ends */
	const uint64_t holds = old & PAGE_FOLIO ? 0 : PAGE_MAP_MASK;

	return (old & (PAGE_BUSY | holds)) == PAGE_BUSY;
/* REGION freed */
	enum page_marked came;

	__atomic_fetch_add(&d->busy, 1, __ATOMIC_ACQ_REL);
	came = page_mark_busy(record);
	__atomic_fetch_sub(&d->busy, came == PAGE_MARKED_BEFORE ? 1 : 0, __ATOMIC_ACQ_REL);
