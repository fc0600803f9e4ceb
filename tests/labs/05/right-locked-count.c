/* The count by a locked instruction, which is the waiter's barrier; at the head of the list. */
/* REGION enlist */
	flags = spin_lock_irqsave(&buckets[i].lock);
	w->enlisted = true;
	TAILQ_INSERT_HEAD(&buckets[i].list, w, link);
	__atomic_fetch_add(&wait_counts[i], 1, __ATOMIC_SEQ_CST);
	spin_unlock_irqrestore(&buckets[i].lock, flags);
/* REGION mark */
	for (w = TAILQ_FIRST(&b->list); w; w = TAILQ_NEXT(w, link)) {
		if (w->key == key && !__atomic_exchange_n(&w->woken, true, __ATOMIC_SEQ_CST)) {
			sched_wake_irqs_off(w->thread);
			n++;
		}
	}
/* REGION wake */
	int woken = 0;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&wait_counts[wait_bucket(key)], __ATOMIC_ACQUIRE))
		woken = wake_waiters(key);
	return woken;
