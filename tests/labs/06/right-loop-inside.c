/* One loop asks leases and pages until neither has anybody; the wait is a loop of its own; every page is looked at from the first again. */
/* REGION sleep */
int layout_sleep(struct dax_inode *inode, struct page *page, bool (*held)(const struct page *),
		 const char *waker)
{
	uint64_t start = clock_ns();
	struct sleep_text text;
	struct pgmap *device;
	int err;

	assert_rwsem_held_write(&inode->fault_lock);
	assert_no_global_lock("a held page");
	page = page_to_record(page);
	describe(&text, inode, page, waker);
	note_busy(inode, page);
	device = page->pgmap;
	pgmap_listen(device);
	up_write(&inode->fault_lock);
	for (err = 0; !err && held(page);)
		err = wait_event_interruptible(&page->state, !held(page), text.what, text.who);
	STEP_POINT(layout_woken);
	down_write(&inode->fault_lock);
	pgmap_unlisten(device);
	inode->last_break.waited_ns += clock_ns() - start;
	return err;
}
/* REGION again */
int layout_wait_idle(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	const struct lifetime *lt = inode->fs->lifetime;
	struct page *page;
	int err = 0;

	for (;;) {
		page = lt->scan(inode, first, last);
		if (!page)
			break;
		err = lt->wait_idle(inode, page);
		if (err)
			break;
	}
	return err;
}

static int break_leases_and_pages(struct dax_inode *inode, uint64_t first, uint64_t last,
				  enum layout_reason reason)
{
	int err = 0;

	bool asked = false;

	while (!err) {
		if (break_begins(inode)) {
			err = layout_break_leases(inode, LEASE_LAYOUT, reason);
			asked = false;
			continue;
		}
		if (asked || reason == LAYOUT_WRITE)
			break;
		err = inode->fs->lifetime->break_layout(inode, first, last, reason);
		asked = true;
	}
	return err;
}
/* REGION look */
	struct page *page;
	unsigned round = 0;

	do {
		unmap_mapping_range(&inode->mapping, first, last);
		entries_wait_unlocked(inode, first, last);
		page = entries_find_held(inode, first, last, 0);
	} while (!page && !round++);
	return page;
