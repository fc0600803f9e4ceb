/* Always the slow path, which is right and slow. "Does fast_one() ever return true" */
/* REGION fast-one */
	(void)page, (void)pages, (void)one_refused, (void)one_changed;
	goto other;
/* REGION take-one */
	(void)page, (void)pages;
	return 0;
