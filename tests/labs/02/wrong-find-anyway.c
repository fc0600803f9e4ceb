/* Where a record would stand, it is. "A record is found that nobody has made" */
/* REGION find */
	(void)exists;
	return pgmap_pfn_valid(pgmap, pfn) ? pgmap_pfn_to_page(pgmap, pfn) : NULL;
