/* Lines go back while the pages are still mapped: a store in between loses its mark. "still be stored to" */
/* REGION break */
	(void)museum_on(break_narrow);
	if (!(entry & ENTRY_PMD) || (at >= first && end <= last))
		return;
	if ((entry & ENTRY_DIRTY) && at < first)
		cache_writeback(bytes, (first - at) << PAGE_SHIFT);
	if ((entry & ENTRY_DIRTY) && end > last)
		cache_writeback(bytes + ((last - at) << PAGE_SHIFT), (end - last) << PAGE_SHIFT);
	unmap_mapping_range(&inode->mapping, at, end);
