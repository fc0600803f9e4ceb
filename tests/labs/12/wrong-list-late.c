/* The list behind the name. "gets on the list (ext4_orphan_add) before its name goes" */
/* REGION unname */
	ext4_dir_remove(dir, slot);
	if (!links)
		ext4_orphan_add(victim);
	ext4_store_links(victim, links);
	ext4_stamp(fs, victim->raw, EXT4_CTIME);
	ext4_touch(dir);
	pm_fence(fs);
