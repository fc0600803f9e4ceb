/* A put releases what is still mapped. "the unmapping that goes last releases it" */
/* REGION put-ends */
	return old & PAGE_BUSY;
