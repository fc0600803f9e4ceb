/* It looks for holders before it unmaps. "first take the mappings away" */
/* REGION look */
	struct page *page;

	entries_wait_unlocked(inode, first, last);
	page = entries_find_held(inode, first, last, 0);
	unmap_mapping_range(&inode->mapping, first, last);
	return page;
