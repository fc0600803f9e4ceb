/* The bus addresses are given back with the translation. "they stay taken until dma_unmap()"; hidden "hidden-clients" */
/* REGION bytes */
	if (at || pages < m->nr) {
		err = m->cut ? 0 : cut(d, m, at, pages * PAGE_SIZE);
	} else {
		cut_all(d, m);
		if (m->range.end != m->range.start)
			iova_deregister(&d->space, &m->range);
	}
