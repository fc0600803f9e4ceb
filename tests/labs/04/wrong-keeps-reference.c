/* The entry changed, and the reference is kept though no page is returned. "the reference stayed" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	(void)one_changed;
	if (!page_get_one(page))
		return one_refused(page, ptep, pte, irq, pages);
	*pages = page;
	if (*ptep != pte)
		goto other;
	irq_restore(irq);
	return true;
/* REGION take-one */
	if (!page_get(page, 1))
		return 0;
	if (*ptep != pte)
		return 0;
	*pages = page;
	return 1;
