/* Nobody asks whether there is a frame. "0 is no frame's address" */
/* REGION publish */
	uint64_t none = 0, phys = frame_alloc(0);

	frame_fill(pgmap, phys, va);
	if (__atomic_compare_exchange_n(pte, &none, phys | FRAME_RIGHTS, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		count_frame(pgmap);
	else
		frame_free(phys, 0);
	return 0;
