/* What the quick way refuses is refused among many as well. "page_get_one() refuses it here as well" */
/* REGION take-one */
	if (!page_get_one(page))
		return 0;
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) != pte)
		return end_changed(page, pages);
	*pages = page;
	return 1;
