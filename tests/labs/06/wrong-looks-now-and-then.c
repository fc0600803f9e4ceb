/* It asks every millisecond. "sleep until the last put, which knows when it is" */
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
	up_write(&inode->fault_lock);
	for (err = 0; !err && held(page);) {
		uint64_t until = clock_ns() + 1000000;

		(void)wait_event_until(&page->state, !held(page), until, text.what, text.who);
		err = signal_pending() ? -EINTR : 0;
	}
	STEP_POINT(layout_woken);
	down_write(&inode->fault_lock);
	inode->last_break.waited_ns += clock_ns() - start;
	return err;
}
