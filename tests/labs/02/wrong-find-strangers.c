/* A record that is there is taken for one of the device's. "That a record is there does not say that the page is" */
/* REGION find */
	struct page *p = pgmap_pfn_to_page(pgmap, pfn);

	return exists((uint64_t)p) ? p : NULL;
