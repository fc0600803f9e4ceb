/* One exit each; what stays is written back page by page, before it is unmapped as well as behind it. */
/* REGION fits */
	enum huge_result result = HUGE_INSTALLED;

	if (!run->written)
		result = write ? HUGE_INSTALLED : HUGE_ZEROES;
	if (result == HUGE_INSTALLED && (run->pfn & (FOLIO_PAGES - 1)))
		result = HUGE_EXTENT;
	if (run->count != FOLIO_PAGES)
		result = HUGE_EXTENT;
	return result;
/* REGION entry */
	enum huge_result result = HUGE_INSTALLED;
	struct page *head = pfn_to_page(run->pfn);
	int made = page_folio_make(head);
	int linked = made ? 0 : page_attach(head, inode, pgoff & ~(uint64_t)(FOLIO_PAGES - 1));

	(void)museum_on(round_up);
	if (made)
		result = made == -EBUSY ? HUGE_HELD : HUGE_NO_MEMORY;
	else if (linked)
		result = linked == -EIO ? HUGE_EXTENT : HUGE_DYING;
	else
		*entry = entry_for(inode->fs, run->pfn) | ENTRY_PMD;
	if (result == HUGE_DYING)
		page_folio_split(head);
	return result;
/* REGION break */
	bool reaches_over = (entry & ENTRY_PMD) && (at < first || last < end);

	(void)museum_on(break_narrow);
	if (reaches_over)
		unmap_mapping_range(&inode->mapping, at, end);
	for (uint64_t page = at; reaches_over && (entry & ENTRY_DIRTY) && page < end; page++)
		if (page < first || page >= last)
			cache_writeback(bytes + ((page - at) << PAGE_SHIFT), PAGE_SIZE);
