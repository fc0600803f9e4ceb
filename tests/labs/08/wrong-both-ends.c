/* Only an entry that reaches over both ends is broken. "One end is enough" */
/* REGION break */
	(void)museum_on(break_narrow);
	if (!(entry & ENTRY_PMD) || at >= first || end <= last)
		return;
	unmap_mapping_range(&inode->mapping, at, end);
	if (entry & ENTRY_DIRTY) {
		cache_writeback(bytes, (first - at) << PAGE_SHIFT);
		cache_writeback(bytes + ((last - at) << PAGE_SHIFT), (end - last) << PAGE_SHIFT);
	}
