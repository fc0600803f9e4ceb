/* Only what a page is asked for at once is written. "write every field" */
/* REGION fill */
	if (pgmap_has_altmap(pgmap)) {
		uint64_t first = pgmap_pfn_to_va(pgmap, altmap_first_pfn(&pgmap->altmap));

		if (first > va)
			p += (first - va) / sizeof(*p);
	}
	for (; p < end; p++) {
		p->state = rest;
		p->pgmap = pgmap;
	}
