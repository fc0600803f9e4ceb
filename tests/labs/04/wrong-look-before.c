/* The second look comes before the reference. "A look that comes before the reference proves nothing" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	(void)one_changed;
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) != pte)
		goto other;
	if (!page_get_one(page))
		return one_refused(page, ptep, pte, irq, pages);
	*pages = page;
	irq_restore(irq);
	return true;
/* REGION take-one */
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) != pte)
		return 0;
	if (!page_get(page, 1))
		return 0;
	*pages = page;
	return 1;
