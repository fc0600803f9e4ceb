/* The word goes in one fence with the inode. "that word goes only when the new one is durable" */
/* REGION commit */
	redo->image = *image;
	pm_wb(fs, &redo->image, sizeof(redo->image));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, redo_word(ino, image));
	pm_fence(fs);
	memcpy(raw, image, sizeof(*raw));
	pm_wb(fs, raw, sizeof(*raw));
	pm_set64(fs, &redo->commit, 0);
	pm_fence(fs);
