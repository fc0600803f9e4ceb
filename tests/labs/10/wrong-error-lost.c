/* The refusal of the tables is not passed on. "Who asked has to hear it" */
/* REGION cut */
	slpt_unmap(&d->tables, m->bus + at, bytes);
	slpt_sync(&d->tables);
	vtd_forget(d->unit, d->id, m->bus + at, bytes);
	slpt_settle(&d->tables);
	return 0;
