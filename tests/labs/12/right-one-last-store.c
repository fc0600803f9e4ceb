/* The same steps for both kinds of entry, of which only the last one differs. The inode is copied word by word. */
/* REGION entry */
	const bool slack = de->inode != 0;
	uint32_t room = de->rec_len;

	fresh = de;
	if (slack) {
		fresh = (struct ext4_dirent *)(void *)((uint8_t *)de + used);
		room -= used;
	}
	put(fresh, room, e, slack ? e->ino : 0);
	pm_wb(fs, fresh, need);
	pm_fence(fs);
	if (slack)
		pm_set16(fs, &de->rec_len, (uint16_t)used);
	else
		pm_set32(fs, &fresh->inode, e->ino);
	pm_fence(fs);
	return fresh;
/* REGION unname */
	bool last = links == 0;

	if (last)
		ext4_orphan_add(victim);
	ext4_dir_remove(dir, slot);
	ext4_touch(dir);
	ext4_stamp(fs, victim->raw, EXT4_CTIME);
	ext4_store_links(victim, links);
	pm_fence(fs);
/* REGION commit */
	const char *from = (const char *)image;

	memcpy(&redo->image, image, sizeof(*image));
	pm_wb(fs, &redo->image, sizeof(*image));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, redo_word(ino, &redo->image));
	pm_fence(fs);
	for (unsigned at = 0; at < sizeof(*raw); at += 8) {
		memcpy((char *)raw + at, from + at, 8);
		pm_wb(fs, (char *)raw + at, 8);
	}
	pm_fence(fs);
	pm_set64(fs, &redo->commit, 0);
	pm_fence(fs);
