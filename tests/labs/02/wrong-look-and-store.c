/* A look and a store instead of one step. "Look and store have to be one step"; hidden "hidden-dice" */
/* REGION publish */
	uint64_t phys = frame_alloc(0);

	if (!phys)
		return -ENOMEM;
	frame_fill(pgmap, phys, va);
	if (__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P) {
		frame_free(phys, 0);
		return 0;
	}
	__atomic_store_n(pte, phys | FRAME_RIGHTS, __ATOMIC_RELEASE);
	count_frame(pgmap);
	return 0;
