/* What is durable already is fenced again. "A name goes in more fences than it needs" */
/* REGION unname */
	if (!links)
		ext4_orphan_add(victim);
	pm_fence(fs);
	ext4_dir_remove(dir, slot);
	ext4_store_links(victim, links);
	ext4_stamp(fs, victim->raw, EXT4_CTIME);
	ext4_touch(dir);
	pm_fence(fs);
