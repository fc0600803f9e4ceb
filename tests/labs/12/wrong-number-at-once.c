/* A free entry is filled in with its number. "In a free entry the inode number is what makes it count" */
/* REGION entry */
	if (!de->inode) {
		put(de, de->rec_len, e, e->ino);
		pm_wb(fs, de, need);
		pm_fence(fs);
		return de;
	}
	fresh = (struct ext4_dirent *)(void *)((uint8_t *)de + used);
	put(fresh, de->rec_len - used, e, e->ino);
	pm_wb(fs, fresh, need);
	pm_fence(fs);
	pm_set16(fs, &de->rec_len, (uint16_t)used);
	pm_fence(fs);
	return fresh;
