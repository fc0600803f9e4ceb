/* The list itself is looked at, without its lock, where the count is for that. "races with somebody else's"; hidden "hidden-dice" */
/* REGION wake */
	smp_mb();
	return TAILQ_EMPTY(&buckets[wait_bucket(key)].list) ? 0 : wake_waiters(key);
