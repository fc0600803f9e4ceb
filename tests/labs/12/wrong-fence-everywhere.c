/* Safe, with a fence behind each line. "fence where an order is needed" */
/* REGION entry */
	if (!de->inode) {
		put(de, de->rec_len, e, 0);
		pm_wb(fs, de, need);
		pm_fence(fs);
		pm_set32(fs, &de->inode, e->ino);
		pm_fence(fs);
		return de;
	}
	fresh = (struct ext4_dirent *)(void *)((uint8_t *)de + used);
	put(fresh, de->rec_len - used, e, e->ino);
	for (uint32_t at = 0; at < need; at += 4) {
		pm_wb(fs, (uint8_t *)fresh + at, 4);
		pm_fence(fs);
	}
	pm_fence(fs);
	pm_set16(fs, &de->rec_len, (uint16_t)used);
	pm_fence(fs);
	return fresh;
/* REGION commit */
	redo->image = *image;
	pm_wb(fs, &redo->image, sizeof(redo->image));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, redo_word(ino, image));
	pm_fence(fs);
	memcpy(raw, image, sizeof(*raw));
	for (unsigned at = 0; at < sizeof(*raw); at += 16) {
		pm_wb(fs, (uint8_t *)raw + at, 16);
		pm_fence(fs);
	}
	pm_fence(fs);
	pm_set64(fs, &redo->commit, 0);
	pm_fence(fs);
