/* The reference is given back, and the page returned all the same. "given back that you do not hold" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	if (!page_get_one(page))
		return one_refused(page, ptep, pte, irq, pages);
	*pages = page;
	if (*ptep != pte)
		(void)one_changed(page, irq);
	irq_restore(irq);
	return true;
/* REGION take-one */
	if (!page_get(page, 1))
		return 0;
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) != pte)
		end_changed(page, pages);
	*pages = page;
	return 1;
