/* All is forgotten each time. "a device with a thousand mappings" */
/* REGION block */
	(void)u, (void)iova, (void)bytes;
	return -1;
