/* Gives back by the record that counts by then. "page_put_record() puts it where it came from" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	if (!page_get_one(page))
		goto other;
	smp_mb();
	if (__atomic_load_n(ptep, __ATOMIC_SEQ_CST) != pte) {
		irq_restore(irq);
		page_put(page, 1);
		return false;
	}
	irq_restore(irq);
	*pages = page;
	return true;
/* REGION take-one */
	if (!page_get(page, 1))
		return 0;
	smp_mb();
	if (*ptep != pte) {
		page_put(page, 1);
		return 0;
	}
	*pages = page;
	return 1;
