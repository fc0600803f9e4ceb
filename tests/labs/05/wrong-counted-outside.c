/* The count is changed outside of the lock, by a load and a store. "counted as one" */
/* REGION enlist */
	flags = spin_lock_irqsave(&buckets[i].lock);
	TAILQ_INSERT_TAIL(&buckets[i].list, w, link);
	spin_unlock_irqrestore(&buckets[i].lock, flags);
	__atomic_store_n(&wait_counts[i], wait_counts[i] + 1, __ATOMIC_RELAXED);
	w->enlisted = true;
	smp_mb();
