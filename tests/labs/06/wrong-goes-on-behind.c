/* After a sleep the look goes on with the page that was slept for. "not where the last one stopped" */
/* REGION again */
int layout_wait_idle(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	const struct lifetime *lt = inode->fs->lifetime;
	struct page *page;
	int err = 0;

	while (!err && (page = lt->scan(inode, first, last))) {
		first = page->index;
		err = lt->wait_idle(inode, page);
	}
	return err;
}

static int break_leases_and_pages(struct dax_inode *inode, uint64_t first, uint64_t last,
				  enum layout_reason reason)
{
	int err = 0;

	do {
		while (!err && break_begins(inode))
			err = layout_break_leases(inode, LEASE_LAYOUT, reason);
		if (err || reason == LAYOUT_WRITE)
			return err;
		err = inode->fs->lifetime->break_layout(inode, first, last, reason);
	} while (!err && break_begins(inode));
	return err;
}
