/* Tables are given back before the unit has forgotten the way to them. "may still walk through the table" */
/* REGION cut */
	int err = slpt_unmap(&d->tables, m->bus + at, bytes);

	if (err)
		return err;
	slpt_sync(&d->tables);
	slpt_settle(&d->tables);
	vtd_forget(d->unit, d->id, m->bus + at, bytes);
	return 0;
