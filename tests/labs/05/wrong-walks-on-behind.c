/* The waker takes the waiter off, who goes home then without the lock, and walks on from him. "a waiter whose memory is gone" */
/* REGION mark */
	unsigned i = wait_bucket(key);

	TAILQ_FOREACH (w, &b->list, link) {
		struct thread *thread = w->thread;

		if (w->key != key || w->woken)
			continue;
		TAILQ_REMOVE(&b->list, w, link);
		__atomic_store_n(&wait_counts[i], wait_counts[i] - 1, __ATOMIC_RELAXED);
		__atomic_store_n(&w->enlisted, false, __ATOMIC_RELEASE);
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		sched_wake_irqs_off(thread);
		n++;
	}
