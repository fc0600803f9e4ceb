/* Behind the sleep the record is asked for its device once more. "another device's record may stand there" */
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
	pgmap_listen(page->pgmap);
	err = wait_event_interruptible(&page->state, !held(page), text.what, text.who);
	pgmap_unlisten(page->pgmap);
	STEP_POINT(layout_woken);
	down_write(&inode->fault_lock);
	inode->last_break.waited_ns += clock_ns() - start;
	return err;
}
