/* No barrier between the cleared entry and the mask. "still in your store buffer" */
/* REGION whom */
	struct flush f = {mm, start, end};
	uint32_t mask;

	if (start >= end)
		return;
	preempt_disable();
	mask = __atomic_load_n(&mm->active, __ATOMIC_ACQUIRE);
	if (mask == 1u << cpu_id())
		flush_local(&f);
	else if (mask)
		flush_others(mask, &f);
	__atomic_fetch_add(&tlb_flushes, 1, __ATOMIC_RELAXED);
	preempt_enable();
