/* Whatever ails the folio, somebody is said to hold it. "-ENOMEM is not -EBUSY" */
/* REGION entry */
	struct page *head = pfn_to_page(run->pfn);
	int err = page_folio_make(head);

	(void)museum_on(round_up);
	if (err)
		return HUGE_HELD;
	err = page_attach(head, inode, ALIGN_DOWN(pgoff, FOLIO_PAGES));
	if (err == -EIO)
		return HUGE_EXTENT;
	if (err) {
		page_folio_split(head);
		return HUGE_DYING;
	}
	*entry = entry_for(inode->fs, run->pfn) | ENTRY_PMD;
	return HUGE_INSTALLED;
