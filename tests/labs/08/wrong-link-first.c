/* Linked before it is known that it can be counted as one. "the link behind it" */
/* REGION entry */
	struct page *head = pfn_to_page(run->pfn);
	int err = page_attach(head, inode, ALIGN_DOWN(pgoff, FOLIO_PAGES));

	(void)museum_on(round_up);
	if (err == -EIO)
		return HUGE_EXTENT;
	if (err)
		return HUGE_DYING;
	err = page_folio_make(head);
	if (err)
		return err == -EBUSY ? HUGE_HELD : HUGE_NO_MEMORY;
	*entry = entry_for(inode->fs, run->pfn) | ENTRY_PMD;
	return HUGE_INSTALLED;
