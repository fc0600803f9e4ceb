/* The directory's times are forgotten. "The directory is another one without the name" */
/* REGION unname */
	if (!links)
		ext4_orphan_add(victim);
	ext4_dir_remove(dir, slot);
	ext4_store_links(victim, links);
	ext4_stamp(fs, victim->raw, EXT4_CTIME);
	pm_fence(fs);
