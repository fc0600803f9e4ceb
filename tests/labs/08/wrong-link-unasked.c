/* Whether the link was made is not asked. "another file may have these pages already" */
/* REGION entry */
	struct page *head = pfn_to_page(run->pfn);
	int err = page_folio_make(head);

	(void)museum_on(round_up), (void)page_folio_split;
	if (err)
		return err == -EBUSY ? HUGE_HELD : HUGE_NO_MEMORY;
	(void)page_attach(head, inode, ALIGN_DOWN(pgoff, FOLIO_PAGES));
	*entry = entry_for(inode->fs, run->pfn) | ENTRY_PMD;
	return HUGE_INSTALLED;
