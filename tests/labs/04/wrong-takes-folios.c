/* Part 1 takes what it is to leave to part 2. "Does part 1 take it, by page_get()?" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	if (!page_get(page, 1))
		goto other;
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) != pte)
		return one_changed(page, irq);
	irq_restore(irq);
	*pages = page;
	return true;
