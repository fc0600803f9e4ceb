/* What was cleared is not written back before the unit is told. "is in the CPU's cache still" */
/* REGION cut */
	int err = slpt_unmap(&d->tables, m->bus + at, bytes);

	if (err)
		return err;
	vtd_forget(d->unit, d->id, m->bus + at, bytes);
	slpt_sync(&d->tables);
	slpt_settle(&d->tables);
	return 0;
