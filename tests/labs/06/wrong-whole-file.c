/* It asks the whole file, whatever goes. "Only the pages of [first, last) go"; hidden "hidden-place" */
/* REGION look */
	(void)first, (void)last;
	unmap_mapping_range(&inode->mapping, 0, DAX_TO_END);
	entries_wait_unlocked(inode, 0, DAX_TO_END);
	return entries_find_held(inode, 0, DAX_TO_END, 0);
