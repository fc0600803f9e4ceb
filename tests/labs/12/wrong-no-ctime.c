/* The file's time is forgotten. "and its ctime is what it was" */
/* REGION unname */
	if (!links)
		ext4_orphan_add(victim);
	ext4_dir_remove(dir, slot);
	ext4_store_links(victim, links);
	(void)fs;
	ext4_touch(dir);
	pm_fence(fs);
