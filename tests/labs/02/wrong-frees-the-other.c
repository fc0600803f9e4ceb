/* Who comes second frees the frame that it found. "The wrong frame was given back" */
/* REGION publish */
	uint64_t none = 0, phys = frame_alloc(0);

	if (!phys)
		return -ENOMEM;
	frame_fill(pgmap, phys, va);
	if (__atomic_compare_exchange_n(pte, &none, phys | FRAME_RIGHTS, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		count_frame(pgmap);
	else
		frame_free(none & PTE_PHYS, 0);
	return 0;
