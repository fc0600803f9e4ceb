/* The frame is filled from its first byte, whatever stands there. "is not yours to write" */
/* REGION fill */
	(void)va;
	for (; p < end; p++)
		*p = (struct page){.state = rest, .pgmap = pgmap};
