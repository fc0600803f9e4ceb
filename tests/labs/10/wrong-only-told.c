/* The unit forgets, and walks to the entries again. "Both have to go" */
/* REGION cut */
	vtd_forget(d->unit, d->id, m->bus + at, bytes);
	return 0;
