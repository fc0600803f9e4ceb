/* Marked, and left asleep. "each is made ready" */
/* REGION mark */
	TAILQ_FOREACH (w, &b->list, link) {
		if (w->key != key || w->woken)
			continue;
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		n++;
	}
