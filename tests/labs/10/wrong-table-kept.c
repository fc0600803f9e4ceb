/* Tables are never given back. "Nobody gives the tables back" */
/* REGION cut */
	int err = slpt_unmap(&d->tables, m->bus + at, bytes);

	if (err)
		return err;
	slpt_sync(&d->tables);
	vtd_forget(d->unit, d->id, m->bus + at, bytes);
	return 0;
