/* The waker takes the waiter off the list, counts it off, and says so before it is ready. "races with somebody else's" */
/* REGION mark */
	unsigned i = wait_bucket(key);
	struct waiter *next;

	for (w = TAILQ_FIRST(&b->list); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->key != key || w->woken)
			continue;
		TAILQ_REMOVE(&b->list, w, link);
		__atomic_store_n(&wait_counts[i], wait_counts[i] - 1, __ATOMIC_RELAXED);
		w->enlisted = false;
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		sched_wake_irqs_off(w->thread);
		n++;
	}
