/* What lies behind the hole is written back though the hole reaches further. "end - last is no length" */
/* REGION break */
	(void)museum_on(break_narrow);
	if (!(entry & ENTRY_PMD) || (at >= first && end <= last))
		return;
	unmap_mapping_range(&inode->mapping, at, end);
	if (entry & ENTRY_DIRTY) {
		if (at < first)
			cache_writeback(bytes, (first - at) << PAGE_SHIFT);
		if (end != last)
			cache_writeback(bytes + ((last - at) << PAGE_SHIFT), (end - last) << PAGE_SHIFT);
	}
