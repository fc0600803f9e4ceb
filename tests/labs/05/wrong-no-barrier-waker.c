/* The waker looks for waiters while its condition may still be in the store buffer. "a full barrier, on both sides" */
/* REGION wake */
	return wait_maybe(key) ? wake_waiters(key) : 0;
