/* A block that the unit does not know. "a larger one it does not know" */
/* REGION block */
	uint64_t differ = (iova ^ (iova + bytes - 1)) >> PAGE_SHIFT;

	(void)u;
	return differ ? 64 - __builtin_clzll(differ) : 0;
