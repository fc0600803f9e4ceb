/* Word and image in one fence: the sum guards the image, not the block that it names. "Its sum finds half an image out" */
/* REGION commit */
	redo->image = *image;
	pm_wb(fs, &redo->image, sizeof(redo->image));
	pm_set64(fs, &redo->commit, redo_word(ino, image));
	pm_fence(fs);
	memcpy(raw, image, sizeof(*raw));
	pm_wb(fs, raw, sizeof(*raw));
	pm_fence(fs);
	pm_set64(fs, &redo->commit, 0);
	pm_fence(fs);
