/* The look makes the tables that it walks. "A look makes nothing" */
/* REGION find */
	uint64_t va = (uint64_t)pgmap_pfn_to_page(pgmap, pfn);
	const uint64_t *pte = pgmap_pfn_valid(pgmap, pfn) ? pte_walk(kernel_root, va, 1, true, NULL) : NULL;

	(void)exists;
	return pte && (__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P) ? (struct page *)va : NULL;
