/* The record is linked to the page of the fault. "round down to a multiple of 512" */
/* REGION entry */
	struct page *head = pfn_to_page(run->pfn);
	int err = page_folio_make(head);

	(void)museum_on(round_up);
	if (err)
		return err == -EBUSY ? HUGE_HELD : HUGE_NO_MEMORY;
	err = page_attach(head, inode, pgoff);
	if (err == -EIO)
		return HUGE_EXTENT;
	if (err) {
		page_folio_split(head);
		return HUGE_DYING;
	}
	*entry = entry_for(inode->fs, run->pfn) | ENTRY_PMD;
	return HUGE_INSTALLED;
