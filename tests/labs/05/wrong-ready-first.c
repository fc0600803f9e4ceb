/* Ready, then marked. "mark first, then make ready" */
/* REGION mark */
	TAILQ_FOREACH (w, &b->list, link) {
		if (w->key != key || w->woken)
			continue;
		sched_wake_irqs_off(w->thread);
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		n++;
	}
