/* The inode is written where it lies, written back and fenced. "complete somewhere else" */
/* REGION commit */
	(void)redo;
	memcpy(raw, image, sizeof(*raw));
	pm_wb(fs, raw, sizeof(*raw));
	pm_fence(fs);
