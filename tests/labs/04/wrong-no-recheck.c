/* The entry is read once. "You trust what you read" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	if (!page_get_one(page))
		return one_refused(page, ptep, pte, irq, pages);
	(void)one_changed;
	*pages = page;
	irq_restore(irq);
	return true;
/* REGION take-one */
	if (!page_get(page, 1))
		return 0;
	*pages = page;
	return 1;
