/* The records from the last to the first, as one value each; a loop that tries the exchange; the look by the walk that
 * everybody has. */
/* REGION fill */
	const struct page fresh = {.state = rest, .pgmap = pgmap};
	struct page *first = p;

	if (pgmap_has_altmap(pgmap)) {
		struct page *of_all = pgmap_pfn_to_page(pgmap, altmap_first_pfn(&pgmap->altmap));

		first += MAX(of_all - (struct page *)va, 0l);
	}
	while (end > first)
		*--end = fresh;
/* REGION publish */
	uint64_t phys = frame_alloc(0), seen = 0;

	if (phys)
		frame_fill(pgmap, phys, va);
	while (phys && !(seen & PTE_P))
		if (__atomic_compare_exchange_n(pte, &seen, phys | FRAME_RIGHTS, true,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			count_frame(pgmap);
			return 0;
		}
	if (phys)
		frame_free(phys, 0);
	return phys ? 0 : -ENOMEM;
/* REGION find */
	(void)exists;
	if (!pgmap_pfn_valid(pgmap, pfn))
		return NULL;
	return page_record_exists(pgmap_pfn_to_page(pgmap, pfn)) ? pgmap_pfn_to_page(pgmap, pfn)
								 : NULL;
