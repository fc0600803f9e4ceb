/* A block grows until it holds all; what is cut already is left alone first. */
/* REGION cut */
	int err = slpt_unmap(&d->tables, m->bus + at, bytes);

	if (err)
		return err;
	slpt_sync(&d->tables);
	store_fence();
	vtd_forget(d->unit, d->id, m->bus + at, bytes);
	slpt_settle(&d->tables);
	return 0;
/* REGION bytes */
	if (!m->cut) {
		err = cut(d, m, at, pages * PAGE_SIZE);
		m->cut = !err && !at && pages >= m->nr;
	}
	(void)cut_all;
/* REGION block */
	for (int order = 0; order <= u->most_order; order++) {
		uint64_t size = PAGE_SIZE << order;

		if (iova % size + bytes <= size)
			return order;
	}
	return -1;
