/* Only the address of the entry is compared. "The entry must be what it was, all of it" */
/* REGION fast-one */
	page = pfn_to_page(pte_to_pfn(pte));
	if (!page_get_one(page))
		goto other;
	smp_mb();
	if (pte_to_pfn(__atomic_load_n(ptep, __ATOMIC_SEQ_CST)) != pte_to_pfn(pte)) {
		irq_restore(irq);
		page_put_record(page, 1);
		return false;
	}
	irq_restore(irq);
	*pages = page;
	return true;
/* REGION take-one */
	if (!page_get(page, 1))
		return 0;
	smp_mb();
	if (pte_to_pfn(*ptep) != pte_to_pfn(pte)) {
		page_put_record(page, 1);
		return 0;
	}
	*pages = page;
	return 1;
