/* The length before the entry. "The entry was uncovered before it was there" */
/* REGION entry */
	uint32_t len = de->rec_len;

	if (!de->inode) {
		put(de, de->rec_len, e, 0);
		pm_wb(fs, de, need);
		pm_fence(fs);
		pm_set32(fs, &de->inode, e->ino);
		pm_fence(fs);
		return de;
	}
	fresh = (struct ext4_dirent *)(void *)((uint8_t *)de + used);
	pm_set16(fs, &de->rec_len, (uint16_t)used);
	pm_fence(fs);
	put(fresh, len - used, e, e->ino);
	pm_wb(fs, fresh, need);
	pm_fence(fs);
	return fresh;
