/* Part 1 by way of part 2, which asks once more what the entry allows. */
/* REGION fast-one */
	(void)page;
	if (!take_one(ptep, gup_needed(flags), pages))
		goto other;
	irq_restore(irq);
	return true;
/* REGION take-one */
	if (!page_get(page, 1))
		return 0;
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) == pte) {
		*pages = page;
		return 1;
	}
	give_back(page, 1);
	return 0;
