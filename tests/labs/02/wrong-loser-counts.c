/* Both count. "who counts is the one whose frame stands there" */
/* REGION publish */
	uint64_t none = 0, phys = frame_alloc(0);

	if (!phys)
		return -ENOMEM;
	frame_fill(pgmap, phys, va);
	if (!__atomic_compare_exchange_n(pte, &none, phys | FRAME_RIGHTS, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		frame_free(phys, 0);
	count_frame(pgmap);
	return 0;
