/* By the numbers of the first and the last page; the mapping's end is asked in pages. */
/* REGION cut */
	const uint64_t bus = m->bus + at;
	int refused_by = slpt_unmap(&d->tables, bus, bytes);

	if (!refused_by) {
		slpt_sync(&d->tables);
		vtd_forget(d->unit, d->id, bus, bytes);
		slpt_settle(&d->tables);
	}
	return refused_by;
/* REGION bytes */
	const unsigned long first = at / PAGE_SIZE;

	if (!m->cut && first == 0 && pages == m->nr)
		cut_all(d, m);
	else if (!m->cut)
		err = cut(d, m, at, pages * PAGE_SIZE);
/* REGION block */
	uint64_t first = iova / PAGE_SIZE, last = (iova + bytes - 1) / PAGE_SIZE;
	int order = 0;

	while (first >> order != last >> order)
		order++;
	return order > u->most_order ? -1 : order;
