/* Locked entries are passed over. "Whoever passes over it frees a page"; hidden "hidden-race" */
/* REGION look */
	unmap_mapping_range(&inode->mapping, first, last);
	return entries_find_held(inode, first, last, ENTRY_LOCKED);
