/* Of the image 64 bytes are written back. "An inode of 128 bytes lies in two cache lines" */
/* REGION commit */
	redo->image = *image;
	pm_wb(fs, &redo->image, 64);
	pm_fence(fs);
	pm_set64(fs, &redo->commit, redo_word(ino, image));
	pm_fence(fs);
	memcpy(raw, image, sizeof(*raw));
	pm_wb(fs, raw, sizeof(*raw));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, 0);
	pm_fence(fs);
