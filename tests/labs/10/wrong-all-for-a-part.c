/* All of the mapping is cut, whatever was asked. "the rest of the region is in use" */
/* REGION bytes */
	(void)pages;
	cut_all(d, m);
