/* The owner is told that the lease has gone while it is in the list. "take it out of the list first" */
/* REGION take-back */
	if (l->ops->revoke)
		l->ops->revoke(l);
	if (l->ops->gone)
		l->ops->gone(l);
	spin_lock(&lock);
	take_out(l);
	spin_unlock(&lock);
