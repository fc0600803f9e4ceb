/* The owner does not hear that the lease has left. "wants to know when his lease has left the list" */
/* REGION take-back */
	if (l->ops->revoke)
		l->ops->revoke(l);
	spin_lock(&lock);
	take_out(l);
	spin_unlock(&lock);
