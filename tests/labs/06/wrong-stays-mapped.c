/* It looks for holders, and unmaps nothing. "first take the mappings away" */
/* REGION look */
	entries_wait_unlocked(inode, first, last);
	return entries_find_held(inode, first, last, 0);
