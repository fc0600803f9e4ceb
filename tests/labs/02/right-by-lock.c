/* One lock for all makers, held from the look to the store; an index instead of a pointer. */
/* REGION fill */
	uint64_t skip = 0;

	(void)end;
	if (pgmap_has_altmap(pgmap)) {
		uint64_t first = pgmap_pfn_to_va(pgmap, altmap_first_pfn(&pgmap->altmap));

		skip = first > va ? (first - va) / sizeof(*p) : 0;
	}
#pragma GCC unroll 8
	for (uint64_t i = skip; i < RECORDS_PER_FRAME; i++) {
		p[i].state = rest;
		p[i].mapping = NULL;
		p[i].index = 0;
		p[i].pgmap = pgmap;
	}
/* REGION publish */
	static struct spinlock makers = SPINLOCK_INIT("records");
	uint64_t phys = frame_alloc(0);
	bool first;

	if (!phys)
		return -ENOMEM;
	frame_fill(pgmap, phys, va);
	spin_lock(&makers);
	first = !(__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P);
	if (first)
		__atomic_store_n(pte, phys | FRAME_RIGHTS, __ATOMIC_RELEASE);
	spin_unlock(&makers);
	if (first)
		count_frame(pgmap);
	else
		frame_free(phys, 0);
	return 0;
/* REGION find */
	if (pgmap_pfn_valid(pgmap, pfn) && exists((uint64_t)pgmap_pfn_to_page(pgmap, pfn)))
		return pgmap_pfn_to_page(pgmap, pfn);
	return NULL;
