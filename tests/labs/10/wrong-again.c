/* What was cut is cut again. "was forgotten. There is nothing to tell" */
/* REGION bytes */
	if (at || pages < m->nr)
		err = cut(d, m, at, pages * PAGE_SIZE);
	else
		cut_all(d, m);
