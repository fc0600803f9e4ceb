/* Everybody but oneself. "on this CPU too" */
/* REGION whom */
	struct flush f = {mm, start, end};
	uint32_t mask;

	if (start >= end)
		return;
	__atomic_fetch_add(&tlb_flushes, 1, __ATOMIC_RELAXED);
	preempt_disable();
	smp_mb();
	mask = __atomic_load_n(&mm->active, __ATOMIC_ACQUIRE) & ~(1u << cpu_id());
	if (mask)
		flush_others(mask, &f);
	preempt_enable();
