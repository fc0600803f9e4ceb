/* What lies before the hole stays mapped. "the entry goes on both sides of the hole" */
/* REGION break */
	if (!(entry & ENTRY_PMD) || (at >= first && end <= last))
		return;
	(void)museum_on(break_narrow);
	unmap_mapping_range(&inode->mapping, first, end);
	if ((entry & ENTRY_DIRTY) && at < first)
		cache_writeback(bytes, (first - at) << PAGE_SHIFT);
	if ((entry & ENTRY_DIRTY) && end > last)
		cache_writeback(bytes + ((last - at) << PAGE_SHIFT), (end - last) << PAGE_SHIFT);
