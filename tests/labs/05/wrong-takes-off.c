/* The waker takes the waiter off the list, and so does the waiter. "Only the waiter takes itself off the list" */
/* REGION mark */
	struct waiter *next;

	for (w = TAILQ_FIRST(&b->list); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->key != key || w->woken)
			continue;
		TAILQ_REMOVE(&b->list, w, link);
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		sched_wake_irqs_off(w->thread);
		n++;
	}
