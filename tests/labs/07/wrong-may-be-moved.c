/* The look at cpu_id() and the flush, with preemption on. "you may be moved" */
/* REGION whom */
	struct flush f = {mm, start, end};
	uint32_t mask;

	if (start >= end)
		return;
	__atomic_fetch_add(&tlb_flushes, 1, __ATOMIC_SEQ_CST);
	mask = __atomic_load_n(&mm->active, __ATOMIC_ACQUIRE);
	if (mask == 1u << cpu_id())
		flush_local(&f);
	else if (mask)
		flush_others(mask, &f);
