/* Whoever stands in the bucket is woken. "only who waits for this key is woken" */
/* REGION mark */
	(void)key;
	TAILQ_FOREACH (w, &b->list, link) {
		if (w->woken)
			continue;
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		sched_wake_irqs_off(w->thread);
		n++;
	}
