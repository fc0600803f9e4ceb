/* The links before the name. "the name goes first, and is durably gone"; hidden "hidden-trees" */
/* REGION unname */
	if (!links)
		ext4_orphan_add(victim);
	ext4_store_links(victim, links);
	ext4_dir_remove(dir, slot);
	ext4_stamp(fs, victim->raw, EXT4_CTIME);
	ext4_touch(dir);
	pm_fence(fs);
