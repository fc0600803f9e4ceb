/* A second reference, taken to be sure. "One call takes one reference" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	if (!page_get_one(page))
		return one_refused(page, ptep, pte, irq, pages);
	*pages = page;
	if (*ptep != pte)
		return one_changed(page, irq);
	page_get(page, 1);
	irq_restore(irq);
	return true;
/* REGION take-one */
	if (!page_get(page, 2))
		return 0;
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) != pte) {
		page_put(page, 2);
		return 0;
	}
	*pages = page;
	return 1;
