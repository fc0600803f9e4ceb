/* The entries go, and the unit goes on using what it remembers. "Both have to go" */
/* REGION cut */
	int err = slpt_unmap(&d->tables, m->bus + at, bytes);

	if (err)
		return err;
	slpt_sync(&d->tables);
	slpt_settle(&d->tables);
	return 0;
