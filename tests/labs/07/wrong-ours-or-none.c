/* If this CPU does not run it, nobody is asked. "Whose address space is flushed and who flushes are two questions" */
/* REGION whom */
	struct flush f = {mm, start, end};
	uint32_t mask;

	if (start >= end)
		return;
	__atomic_fetch_add(&tlb_flushes, 1, __ATOMIC_RELAXED);
	preempt_disable();
	smp_mb();
	mask = __atomic_load_n(&mm->active, __ATOMIC_ACQUIRE);
	if (this_cpu()->mm == mm) {
		if (mask == 1u << cpu_id())
			flush_local(&f);
		else
			flush_others(mask, &f);
	}
	preempt_enable();
