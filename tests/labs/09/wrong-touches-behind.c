/* The lease is marked behind its gone. "Behind ops->gone the lease is its owner's" */
/* REGION take-back */
	if (l->ops->revoke)
		l->ops->revoke(l);
	spin_lock(&lock);
	take_out(l);
	spin_unlock(&lock);
	if (l->ops->gone)
		l->ops->gone(l);
	l->revoking = false;
