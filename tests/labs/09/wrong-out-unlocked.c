/* Out of the list without the lock. "which lock do those functions want to be held" */
/* REGION take-back */
	if (l->ops->revoke)
		l->ops->revoke(l);
	take_out(l);
	if (l->ops->gone)
		l->ops->gone(l);
