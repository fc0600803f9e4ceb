/* A free entry becomes as long as its new name. "keeps all of its rec_len" */
/* REGION entry */
	if (!de->inode) {
		put(de, need, e, 0);
		pm_wb(fs, de, need);
		pm_fence(fs);
		pm_set32(fs, &de->inode, e->ino);
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
