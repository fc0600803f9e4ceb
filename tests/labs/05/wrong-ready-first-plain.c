/* Ready, then marked, by an ordinary store. "mark first, then make ready" */
/* REGION mark */
	TAILQ_FOREACH (w, &b->list, link) {
		if (w->key != key || w->woken)
			continue;
		sched_wake_irqs_off(w->thread);
		w->woken = true;
		n++;
	}
