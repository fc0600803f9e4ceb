/* Who was interrupted, or refused, and finds a lease that was set meanwhile asks everybody anew: the same comes out, a little later. */
/* REGION again */
int layout_wait_idle(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	int (*wait)(struct dax_inode *, struct page *) = inode->fs->lifetime->wait_idle;
	struct page *page = inode->fs->lifetime->scan(inode, first, last);

	for (int err; page; page = inode->fs->lifetime->scan(inode, first, last)) {
		err = wait(inode, page);
		if (err)
			return err;
	}
	return 0;
}

static int break_leases_and_pages(struct dax_inode *inode, uint64_t first, uint64_t last,
				  enum layout_reason reason)
{
	int err;

	for (;;) {
		while (break_begins(inode)) {
			err = layout_break_leases(inode, LEASE_LAYOUT, reason);
			if (err)
				return err;
		}
		if (reason == LAYOUT_WRITE)
			return 0;
		err = inode->fs->lifetime->break_layout(inode, first, last, reason);
		if (!break_begins(inode))
			return err;
	}
}
