/* The line of the cache in which the entry begins is written back. "lies in more than one line of the cache" */
/* REGION entry */
	(void)need;
	if (!de->inode) {
		put(de, de->rec_len, e, 0);
		pm_wb(fs, de, 1);
		pm_fence(fs);
		pm_set32(fs, &de->inode, e->ino);
		pm_fence(fs);
		return de;
	}
	fresh = (struct ext4_dirent *)(void *)((uint8_t *)de + used);
	put(fresh, de->rec_len - used, e, e->ino);
	pm_wb(fs, fresh, 1);
	pm_fence(fs);
	pm_set16(fs, &de->rec_len, (uint16_t)used);
	pm_fence(fs);
	return fresh;
