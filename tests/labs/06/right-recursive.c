/* The break begins anew by calling itself; who sleeps listens from before until behind. */
/* REGION sleep */
int layout_sleep(struct dax_inode *inode, struct page *page, bool (*held)(const struct page *),
		 const char *waker)
{
	uint64_t start = clock_ns();
	struct sleep_text text;
	int err;

	assert_rwsem_held_write(&inode->fault_lock);
	assert_no_global_lock("a held page");
	page = page_to_record(page);
	describe(&text, inode, page, waker);
	note_busy(inode, page);
	struct pgmap *pgmap = page->pgmap;

	pgmap_listen(pgmap);
	up_write(&inode->fault_lock);
	err = wait_event_interruptible(page, !held(page), text.what, text.who);
	pgmap_unlisten(pgmap);
	STEP_POINT(layout_woken);
	down_write(&inode->fault_lock);
	inode->last_break.waited_ns += clock_ns() - start;
	return err;
}
/* REGION again */
int layout_wait_idle(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	const struct lifetime *lt = inode->fs->lifetime;
	struct page *page;
	int err = 0;

	page = lt->scan(inode, first, last);
	if (page)
		err = lt->wait_idle(inode, page);
	if (page && !err)
		return layout_wait_idle(inode, first, last);
	return err;
}

static int break_leases_and_pages(struct dax_inode *inode, uint64_t first, uint64_t last,
				  enum layout_reason reason)
{
	int err = 0;

	if (break_begins(inode)) {
		err = layout_break_leases(inode, LEASE_LAYOUT, reason);
		return err ? err : break_leases_and_pages(inode, first, last, reason);
	}
	if (reason != LAYOUT_WRITE)
		err = inode->fs->lifetime->break_layout(inode, first, last, reason);
	if (!err && reason != LAYOUT_WRITE && break_begins(inode))
		return break_leases_and_pages(inode, first, last, reason);
	return err;
}
/* REGION look */
	entries_wait_unlocked(inode, first, last);
	unmap_mapping_range(&inode->mapping, first, last);
	return entries_find_held(inode, first, last, 0);
