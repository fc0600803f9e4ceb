/* There is a barrier, and it comes too late. "behind the look it is too late" */
/* REGION wake */
	bool any = wait_maybe(key);

	smp_mb();
	return any ? wake_waiters(key) : 0;
