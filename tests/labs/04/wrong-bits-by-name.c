/* What one can think of is compared: there, writable, the same page. "not those of its bits that you can think of", hidden "hidden-asked" */
/* REGION fast-one */
	const uint64_t same = PTE_P | PTE_W | PTE_PHYS;

	page = pfn_to_page(pte_to_pfn(pte));
	if (!page_get_one(page))
		return one_refused(page, ptep, pte, irq, pages);
	*pages = page;
	if ((__atomic_load_n(ptep, __ATOMIC_ACQUIRE) ^ pte) & same)
		return one_changed(page, irq);
	irq_restore(irq);
	return true;
/* REGION take-one */
	const uint64_t same = PTE_P | PTE_W | PTE_PHYS;

	if (!page_get(page, 1))
		return 0;
	if ((__atomic_load_n(ptep, __ATOMIC_ACQUIRE) ^ pte) & same)
		return end_changed(page, pages);
	*pages = page;
	return 1;
