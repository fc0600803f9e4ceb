/* Only a dirty entry's pages are unmapped. "ENTRY_DIRTY is about what is written back" */
/* REGION break */
	if (!(entry & ENTRY_PMD) || (at >= first && end <= last))
		return;
	(void)museum_on(break_narrow);
	if (entry & ENTRY_DIRTY)
		unmap_mapping_range(&inode->mapping, at, end);
	if ((entry & ENTRY_DIRTY) && at < first)
		cache_writeback(bytes, (first - at) << PAGE_SHIFT);
	if ((entry & ENTRY_DIRTY) && end > last)
		cache_writeback(bytes + ((last - at) << PAGE_SHIFT), (end - last) << PAGE_SHIFT);
