/* The entry first, the records then. "Fill first, show then" */
/* REGION publish */
	uint64_t none = 0, phys = frame_alloc(0);

	if (!phys)
		return -ENOMEM;
	if (__atomic_compare_exchange_n(pte, &none, phys | FRAME_RIGHTS, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE)) {
		frame_fill(pgmap, phys, va);
		count_frame(pgmap);
	} else {
		frame_free(phys, 0);
	}
	return 0;
