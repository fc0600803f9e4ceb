/* The inode is copied before the word is durable. "complete somewhere else"; hidden "hidden-names" */
/* REGION commit */
	redo->image = *image;
	pm_wb(fs, &redo->image, sizeof(redo->image));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, redo_word(ino, image));
	memcpy(raw, image, sizeof(*raw));
	pm_wb(fs, raw, sizeof(*raw));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, 0);
	pm_fence(fs);
