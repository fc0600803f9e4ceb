/* Without the count: the bucket's lock is a locked instruction, and so the barrier. Right, and each wake pays. "A wake that finds nobody takes the lock" */
/* REGION wake */
	return wake_waiters(key);
