/* Every owner is thought to have a revoke. "may be NULL" */
/* REGION take-back */
	l->ops->revoke(l);
	spin_lock(&lock);
	take_out(l);
	spin_unlock(&lock);
	if (l->ops->gone)
		l->ops->gone(l);
