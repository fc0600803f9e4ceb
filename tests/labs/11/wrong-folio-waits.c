/* A folio waits for its mappings. "On a folio (PAGE_FOLIO) the mappings are those of the part" */
/* REGION put-ends */
	return (old & PAGE_BUSY) && !(old & PAGE_MAP_MASK);
