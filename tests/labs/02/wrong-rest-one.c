/* Every record rests at 1. "that this pgmap has" */
/* REGION fill */
	(void)rest;
	if (pgmap_has_altmap(pgmap)) {
		uint64_t first = pgmap_pfn_to_va(pgmap, altmap_first_pfn(&pgmap->altmap));

		if (first > va)
			p += (first - va) / sizeof(*p);
	}
	for (; p < end; p++)
		*p = (struct page){.state = 1, .pgmap = pgmap};
