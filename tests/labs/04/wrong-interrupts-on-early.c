/* Interrupts are on again before the second look. "Restore the interrupts behind the second look", hidden "hidden-table" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	if (!page_get_one(page))
		return one_refused(page, ptep, pte, irq, pages);
	irq_restore(irq);
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) != pte) {
		page_put_record(page, 1);
		return false;
	}
	*pages = page;
	return true;
