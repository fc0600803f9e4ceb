/* A number of pages where bytes are wanted. "takes whole pages, counted in bytes" */
/* REGION bytes */
	if (at || pages < m->nr)
		err = m->cut ? 0 : cut(d, m, at, pages);
	else
		cut_all(d, m);
