/* A wake ends with the first one it finds. "A wake is for everybody who waits for this key" */
/* REGION mark */
	TAILQ_FOREACH (w, &b->list, link) {
		if (w->key != key || w->woken)
			continue;
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		sched_wake_irqs_off(w->thread);
		n++;
		break;
	}
