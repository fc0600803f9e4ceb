/* A block as large as the bytes, wherever they begin. "Look where the block lies" */
/* REGION block */
	uint64_t pages = bytes >> PAGE_SHIFT;
	int order = pages > 1 ? 64 - __builtin_clzll(pages - 1) : 0;

	(void)iova;
	return order <= u->most_order ? order : -1;
