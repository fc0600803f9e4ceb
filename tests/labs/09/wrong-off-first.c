/* Out of the list, then revoked. "A breaker that finds no lease in the list goes on" */
/* REGION take-back */
	spin_lock(&lock);
	take_out(l);
	spin_unlock(&lock);
	if (l->ops->revoke)
		l->ops->revoke(l);
	if (l->ops->gone)
		l->ops->gone(l);
