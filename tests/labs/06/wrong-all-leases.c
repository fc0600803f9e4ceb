/* Leases of every class are broken. "LEASE_ALL is too much" */
/* REGION again */
int layout_wait_idle(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	const struct lifetime *lt = inode->fs->lifetime;
	struct page *page;
	int err = 0;

	while (!err && (page = lt->scan(inode, first, last)))
		err = lt->wait_idle(inode, page);
	return err;
}

static int break_leases_and_pages(struct dax_inode *inode, uint64_t first, uint64_t last,
				  enum layout_reason reason)
{
	int err = 0;

	do {
		while (!err && break_begins(inode))
			err = layout_break_leases(inode, LEASE_ALL, reason);
		if (err || reason == LAYOUT_WRITE)
			return err;
		err = inode->fs->lifetime->break_layout(inode, first, last, reason);
	} while (!err && break_begins(inode));
	return err;
}
