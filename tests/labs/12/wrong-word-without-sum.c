/* The word names the inode and not the image. "complete somewhere else" */
/* REGION commit */
	redo->image = *image;
	pm_wb(fs, &redo->image, sizeof(redo->image));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, ino);
	pm_fence(fs);
	memcpy(raw, image, sizeof(*raw));
	pm_wb(fs, raw, sizeof(*raw));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, 0);
	pm_fence(fs);
