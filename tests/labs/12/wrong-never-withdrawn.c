/* The word stays. "When the inode is durable the word is withdrawn" */
/* REGION commit */
	redo->image = *image;
	pm_wb(fs, &redo->image, sizeof(redo->image));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, redo_word(ino, image));
	pm_fence(fs);
	memcpy(raw, image, sizeof(*raw));
	pm_wb(fs, raw, sizeof(*raw));
	pm_fence(fs);
