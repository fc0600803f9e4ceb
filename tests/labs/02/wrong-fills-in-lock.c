/* The lock of the altmap, and all the work inside of it. "fill first, outside of it" */
/* REGION publish */
	uint64_t phys = 1;

	(void)count_frame;
	spin_lock(&pgmap->altmap_lock);
	if (!(__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P)) {
		phys = frame_alloc(0);
		if (phys) {
			frame_fill(pgmap, phys, va);
			__atomic_store_n(pte, phys | FRAME_RIGHTS, __ATOMIC_RELEASE);
			count_frame(pgmap);
		}
	}
	spin_unlock(&pgmap->altmap_lock);
	return phys ? 0 : -ENOMEM;
