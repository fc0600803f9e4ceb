/* A part is cut, and the mapping counts as cut. "dma_unmap(), which believes it" */
/* REGION bytes */
	(void)cut_all;
	err = m->cut ? 0 : cut(d, m, at, pages * PAGE_SIZE);
	m->cut = !err || m->cut;
