/* A file that nothing maps is taken for idle. "Whether the file is mapped says nothing" */
/* REGION look */
	if (!mapping_mapped(&inode->mapping))
		return NULL;
	unmap_mapping_range(&inode->mapping, first, last);
	entries_wait_unlocked(inode, first, last);
	return entries_find_held(inode, first, last, 0);
