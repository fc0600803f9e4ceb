/* The byte behind the last one counts as well. "These pages lie in one block" */
/* REGION block */
	uint64_t differ = (iova ^ (iova + bytes)) >> PAGE_SHIFT;
	int order = differ ? 64 - __builtin_clzll(differ) : 0;

	return order <= u->most_order ? order : -1;
