/* A fence for each half of the inode: one too many. "fence where an order is needed" */
/* REGION commit */
	redo->image = *image;
	pm_wb(fs, &redo->image, sizeof(redo->image));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, redo_word(ino, image));
	pm_fence(fs);
	memcpy(raw, image, sizeof(*raw));
	pm_wb(fs, raw, sizeof(*raw) / 2);
	pm_fence(fs);
	pm_wb(fs, (uint8_t *)raw + sizeof(*raw) / 2, sizeof(*raw) / 2);
	pm_fence(fs);
	pm_set64(fs, &redo->commit, 0);
	pm_fence(fs);
