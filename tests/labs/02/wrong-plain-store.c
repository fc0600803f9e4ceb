/* Look and store are under a lock of its own, and the store is a plain one: whoever looks has no lock. "Who looks without a lock is ordered by none" */
/* REGION publish */
	static struct spinlock makers = SPINLOCK_INIT("records");
	uint64_t phys = frame_alloc(0);
	bool first;

	if (!phys)
		return -ENOMEM;
	frame_fill(pgmap, phys, va);
	spin_lock(&makers);
	first = !(*pte & PTE_P);
	if (first)
		*pte = phys | FRAME_RIGHTS;
	spin_unlock(&makers);
	if (first)
		count_frame(pgmap);
	else
		frame_free(phys, 0);
	return 0;
