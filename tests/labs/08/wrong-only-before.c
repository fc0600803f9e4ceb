/* Only what lies before the hole is written back. "On which sides of the hole" */
/* REGION break */
	(void)museum_on(break_narrow);
	if (!(entry & ENTRY_PMD) || (at >= first && end <= last))
		return;
	unmap_mapping_range(&inode->mapping, at, end);
	if ((entry & ENTRY_DIRTY) && at < first)
		cache_writeback(bytes, (first - at) << PAGE_SHIFT);
