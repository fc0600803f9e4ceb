/* It stands in the list, and the count says that nobody does. "Either he stands where wakers do not look" */
/* REGION enlist */
	flags = spin_lock_irqsave(&buckets[i].lock);
	TAILQ_INSERT_TAIL(&buckets[i].list, w, link);
	spin_unlock_irqrestore(&buckets[i].lock, flags);
	w->enlisted = true;
	smp_mb();
