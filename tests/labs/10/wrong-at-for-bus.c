/* The unit is told of bytes of the mapping, which are no bus addresses. "bus addresses that are not the mapping's" */
/* REGION cut */
	int err = slpt_unmap(&d->tables, m->bus + at, bytes);

	if (err)
		return err;
	slpt_sync(&d->tables);
	vtd_forget(d->unit, d->id, at, bytes);
	slpt_settle(&d->tables);
	return 0;
