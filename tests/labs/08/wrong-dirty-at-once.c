/* The entry is born dirty. "who stores says so behind you" */
/* REGION entry */
	struct page *head = pfn_to_page(run->pfn);
	int err = page_folio_make(head);

	(void)museum_on(round_up);
	if (err)
		return err == -EBUSY ? HUGE_HELD : HUGE_NO_MEMORY;
	err = page_attach(head, inode, ALIGN_DOWN(pgoff, FOLIO_PAGES));
	if (err == -EIO)
		return HUGE_EXTENT;
	if (err) {
		page_folio_split(head);
		return HUGE_DYING;
	}
	*entry = entry_for(inode->fs, run->pfn) | ENTRY_PMD | ENTRY_DIRTY;
	return HUGE_INSTALLED;
