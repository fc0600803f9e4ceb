/* On the list whatever names are left. "what has a name left is not on it" */
/* REGION unname */
	ext4_orphan_add(victim);
	ext4_dir_remove(dir, slot);
	ext4_store_links(victim, links);
	ext4_stamp(fs, victim->raw, EXT4_CTIME);
	ext4_touch(dir);
	pm_fence(fs);
