/* In slack the length is fenced, and then the number: safe, and one fence too many. "fence where an order is needed" */
/* REGION entry */
	uint32_t room = de->rec_len;

	fresh = de;
	if (de->inode) {
		fresh = (struct ext4_dirent *)(void *)((uint8_t *)de + used);
		room -= used;
	}
	put(fresh, room, e, 0);
	pm_wb(fs, fresh, need);
	pm_fence(fs);
	if (fresh != de) {
		pm_set16(fs, &de->rec_len, (uint16_t)used);
		pm_fence(fs);
	}
	pm_set32(fs, &fresh->inode, e->ino);
	pm_fence(fs);
	return fresh;
