/* Where the entry has changed interrupts stay off. "You came back with interrupts off", never "A reference is given back that you do not hold" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	(void)one_changed;
	if (!page_get_one(page))
		return one_refused(page, ptep, pte, irq, pages);
	*pages = page;
	if (*ptep != pte) {
		page_put_record(page, 1);
		return false;
	}
	irq_restore(irq);
	return true;
