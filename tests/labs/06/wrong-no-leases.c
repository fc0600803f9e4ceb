/* Nobody who was promised anything is asked. "LEASE_LAYOUT is broken before anything else"; hidden "hidden-pick" */
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

	(void)break_begins;
	if (reason != LAYOUT_WRITE)
		err = inode->fs->lifetime->break_layout(inode, first, last, reason);
	return err;
}
