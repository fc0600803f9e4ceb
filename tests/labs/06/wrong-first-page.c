/* It looks at the first page of the range. "all its pages are asked about" */
/* REGION look */
	unmap_mapping_range(&inode->mapping, first, last);
	entries_wait_unlocked(inode, first, last);
	return entries_find_held(inode, first, first + 1, 0);
