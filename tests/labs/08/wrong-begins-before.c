/* Only the end of the hole is thought to lie outside of the entry. "first - at is no length", hidden "hidden-before" */
/* REGION break */
	(void)museum_on(break_narrow);
	if (!(entry & ENTRY_PMD) || (at >= first && end <= last))
		return;
	unmap_mapping_range(&inode->mapping, at, end);
	if (entry & ENTRY_DIRTY) {
		cache_writeback(bytes, (first - at) << PAGE_SHIFT);
		if (end > last)
			cache_writeback(bytes + ((last - at) << PAGE_SHIFT), (end - last) << PAGE_SHIFT);
	}
