/* Links and times are written back and not fenced. "whoever returns from unlink has been promised" */
/* REGION unname */
	if (!links)
		ext4_orphan_add(victim);
	ext4_dir_remove(dir, slot);
	ext4_store_links(victim, links);
	ext4_stamp(fs, victim->raw, EXT4_CTIME);
	ext4_touch(dir);
