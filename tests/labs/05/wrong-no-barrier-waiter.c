/* The waiter's count may be in its store buffer while it looks at the condition. "a full barrier, on both sides" */
/* REGION enlist */
	flags = spin_lock_irqsave(&buckets[i].lock);
	TAILQ_INSERT_TAIL(&buckets[i].list, w, link);
	__atomic_store_n(&wait_counts[i], wait_counts[i] + 1, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&buckets[i].lock, flags);
	w->enlisted = true;
