/* Who comes second keeps what it made. "who comes second has one too many" */
/* REGION publish */
	uint64_t none = 0, phys = frame_alloc(0);

	if (!phys)
		return -ENOMEM;
	frame_fill(pgmap, phys, va);
	if (__atomic_compare_exchange_n(pte, &none, phys | FRAME_RIGHTS, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		count_frame(pgmap);
	return 0;
