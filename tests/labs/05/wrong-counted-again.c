/* Who was woken already is woken and counted again. "is woken once, and counted once" */
/* REGION mark */
	TAILQ_FOREACH (w, &b->list, link) {
		if (w->key != key)
			continue;
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		sched_wake_irqs_off(w->thread);
		n++;
	}
