/* Every CPU there is. "has nothing to forget" */
/* REGION whom */
	struct flush f = {mm, start, end};
	uint32_t mask;

	if (start >= end)
		return;
	__atomic_fetch_add(&tlb_flushes, 1, __ATOMIC_RELAXED);
	mask = (1u << nr_cpus) - 1;
	flush_others(mask, &f);
