/* The unit is told for each page. "once, for all of the bytes" */
/* REGION cut */
	int err = slpt_unmap(&d->tables, m->bus + at, bytes);

	if (err)
		return err;
	slpt_sync(&d->tables);
	for (uint64_t page = 0; page < bytes; page += PAGE_SIZE)
		vtd_forget(d->unit, d->id, m->bus + at + page, PAGE_SIZE);
	slpt_settle(&d->tables);
	return 0;
