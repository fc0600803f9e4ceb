/* The look at the count is a locked instruction itself, and so the barrier before it; marks in a loop of another kind. */
/* REGION enlist */
	flags = spin_lock_irqsave(&buckets[i].lock);
	TAILQ_INSERT_TAIL(&buckets[i].list, w, link);
	w->enlisted = true;
	__atomic_store_n(&wait_counts[i], wait_counts[i] + 1, __ATOMIC_SEQ_CST);
	spin_unlock_irqrestore(&buckets[i].lock, flags);
/* REGION mark */
	for (w = TAILQ_LAST(&b->list, waiter_list); w; w = TAILQ_PREV(w, waiter_list, link)) {
		bool mine = w->key == key && !w->woken;

		if (mine) {
			n++;
			__atomic_store_n(&w->woken, true, __ATOMIC_SEQ_CST);
			sched_wake_irqs_off(w->thread);
		}
	}
/* REGION wake */
	if (!__atomic_fetch_add(&wait_counts[wait_bucket(key)], 0, __ATOMIC_SEQ_CST))
		return 0;
	return wake_waiters(key);
