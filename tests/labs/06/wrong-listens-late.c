/* It looks, listens, and sleeps without another look. "Listen first, look then" */
/* REGION sleep */
int layout_sleep(struct dax_inode *inode, struct page *page, bool (*held)(const struct page *),
		 const char *waker)
{
	uint64_t start = clock_ns();
	struct pgmap *pgmap = page_to_record(page)->pgmap;
	struct sleep_text text;
	int err;

	assert_rwsem_held_write(&inode->fault_lock);
	assert_no_global_lock("a held page");
	page = page_to_record(page);
	describe(&text, inode, page, waker);
	note_busy(inode, page);
	struct waiter w = {0};

	up_write(&inode->fault_lock);
	err = 0;
	if (held(page)) {
		pgmap_listen(pgmap);
		wait_prepare(&w, &page->state, text.what, text.who);
		w.interruptible = true;
		wait_sleep(&w);
		wait_finish(&w);
		pgmap_unlisten(pgmap);
		err = signal_pending() ? -EINTR : 0;
	}
	STEP_POINT(layout_woken);
	down_write(&inode->fault_lock);
	inode->last_break.waited_ns += clock_ns() - start;
	return err;
}
