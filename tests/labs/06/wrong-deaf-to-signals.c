/* No signal ends the sleep. "-EINTR ends the loop around it" */
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
	up_write(&inode->fault_lock);
	pgmap_listen(pgmap);
	wait_event(&page->state, !held(page), text.what, text.who);
	pgmap_unlisten(pgmap);
	STEP_POINT(layout_woken);
	down_write(&inode->fault_lock);
	err = 0;
	inode->last_break.waited_ns += clock_ns() - start;
	return err;
}
