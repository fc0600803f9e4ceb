/* The last store is not fenced. "The store that shows an entry is fenced as well" */
/* REGION entry */
	if (!de->inode) {
		put(de, de->rec_len, e, 0);
		pm_wb(fs, de, need);
		pm_fence(fs);
		pm_set32(fs, &de->inode, e->ino);
		return de;
	}
	fresh = (struct ext4_dirent *)(void *)((uint8_t *)de + used);
	put(fresh, de->rec_len - used, e, e->ino);
	pm_wb(fs, fresh, need);
	pm_fence(fs);
	pm_set16(fs, &de->rec_len, (uint16_t)used);
	return fresh;
