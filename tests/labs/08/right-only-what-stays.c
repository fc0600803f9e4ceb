/* What goes is unmapped already, by whoever made the hole; only what stays is unmapped here. */
/* REGION break */
	if (!(entry & ENTRY_PMD) || (at >= first && end <= last))
		return;
	(void)museum_on(break_narrow);
	if (at < first)
		unmap_mapping_range(&inode->mapping, at, first);
	if (last < end)
		unmap_mapping_range(&inode->mapping, last, end);
	if ((entry & ENTRY_DIRTY) && at < first)
		cache_writeback(bytes, (first - at) << PAGE_SHIFT);
	if ((entry & ENTRY_DIRTY) && end > last)
		cache_writeback(bytes + ((last - at) << PAGE_SHIFT), (end - last) << PAGE_SHIFT);
