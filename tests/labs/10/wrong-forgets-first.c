/* The unit is told while the entries are there. "Entries go first"; hidden "hidden-tso" */
/* REGION cut */
	int err;

	vtd_forget(d->unit, d->id, m->bus + at, bytes);
	err = slpt_unmap(&d->tables, m->bus + at, bytes);
	if (err)
		return err;
	slpt_sync(&d->tables);
	slpt_settle(&d->tables);
	return 0;
