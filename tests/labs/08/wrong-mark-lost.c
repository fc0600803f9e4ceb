/* The stores to what stays are left in the caches. "was the only thing that told fsync" */
/* REGION break */
	(void)museum_on(break_narrow), (void)bytes;
	if ((entry & ENTRY_PMD) && (at < first || end > last))
		unmap_mapping_range(&inode->mapping, at, end);
