/* The leases' lock is held over the revoke. "may not be held over it" */
/* REGION take-back */
	spin_lock(&lock);
	if (l->ops->revoke)
		l->ops->revoke(l);
	take_out(l);
	spin_unlock(&lock);
	if (l->ops->gone)
		l->ops->gone(l);
