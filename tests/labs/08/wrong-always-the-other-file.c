/* Every link that fails is taken for another file's. "Not every failure of page_attach()" */
/* REGION entry */
	struct page *head = pfn_to_page(run->pfn);
	int err = page_folio_make(head);

	(void)museum_on(round_up), (void)page_folio_split;
	if (err)
		return err == -EBUSY ? HUGE_HELD : HUGE_NO_MEMORY;
	if (page_attach(head, inode, ALIGN_DOWN(pgoff, FOLIO_PAGES)))
		return HUGE_EXTENT;
	*entry = entry_for(inode->fs, run->pfn) | ENTRY_PMD;
	return HUGE_INSTALLED;
