/* Whatever part goes, all of the mapping is forgotten. "to forget more of the mapping than what goes" */
/* REGION cut */
	int err = slpt_unmap(&d->tables, m->bus + at, bytes);

	if (err)
		return err;
	slpt_sync(&d->tables);
	vtd_forget(d->unit, d->id, m->bus, m->nr * PAGE_SIZE);
	slpt_settle(&d->tables);
	return 0;
