/* Without the count: the bucket's lock is a locked instruction, and so the barrier. */
/* REGION wake */
	return wake_waiters(key);
