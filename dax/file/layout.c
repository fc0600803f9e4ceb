/* SPDX-License-Identifier: MIT */
/*
 * Breaking a layout: the parts that the designs share.
 *
 * Before blocks of a file go, two kinds of users are asked to leave: whoever was promised that the
 * blocks stay (leases, in every lifetime), and whoever holds a page (the lifetime's own step
 * break_layout). Leases first: a device that works under one holds its pages until the lease is
 * broken, so who asked for the pages first would wait for a holder that was never told. Waiting
 * for either gives locks up, so everything may have changed and both are asked again from the
 * start. An eviction asks the second kind only: nobody can be promised anything about a file that
 * nobody can name.
 *
 * Every file that changes is asked, every time. The changes, and their reasons:
 *   truncate to less, or to the same (blocks behind the end go)    LAYOUT_SIZE
 *   punch, zero range, collapse, insert                            LAYOUT_SPACE
 *   exchange, reflink: both files                                  LAYOUT_EXCHANGE
 *   write, fallocate, truncate to more: blocks come, none goes     LAYOUT_WRITE
 *   a fault that fills a hole, or copies a shared page             layout_break_fault()
 */
#include "dax/file/internal.h"

MUSEUM(lease_unlocked, "lease-unlocked",
       "a lease is set without the fault lock, so that a change that found none goes on under it; "
       "shown by selftest lease.published");
MUSEUM(listens_late, "listens-late",
       "who waits for a page looks at its count before it says that it wants to know: the last put "
       "in between tells nobody; found by explore file.put-truncate "
       "lifetime=idle-at-one");
MUSEUM(leases_once, "leases-asked-once",
       "leases are not asked again after a page was waited for: one was set meanwhile, and the "
       "blocks change under it; shown by selftest lease.set-while-page-waits");
MUSEUM(size_once, "size-seen-once",
       "R17: a truncate that has waited for a lease goes by the size of before, though the file "
       "has grown; shown by selftest lease.grown-meanwhile");
STEP_POINT_DECLARE(layout_woken); /* idle again, and the fault lock not yet taken back: C-6 */

unsigned held_of_run(const struct entry_run *run, uint32_t rest)
{
	struct page *page = run_to_page(run), *end = page + run->nr;
	unsigned n = 0;

	for (; (page = page_find_held(page, end - page, rest)); page++)
		n++;
	return n;
}

/* What a sleeper tells `ps`. */
struct sleep_text {
	char what[160], who[256];
};

static void describe(struct sleep_text *t, struct dax_inode *inode, const struct page *page,
		     const char *waker)
{
	char holders[160];

	holders_describe(page, holders, sizeof(holders));
	snprintf(t->what, sizeof(t->what),
		 "pfn 0x%lx (%s page %lu, %u references, rest %u) to be idle", page_to_pfn(page),
		 inode->name, page->index, page_refs(page), inode->fs->lifetime->rest);
	snprintf(t->who, sizeof(t->who), "%s; held by: %s", waker, holders);
}

static void note_busy(struct dax_inode *inode, const struct page *page)
{
	inode->last_break.busy_seen++;
	inode->last_break.busy_pfn = page_to_pfn(page);
	inode->last_break.busy_page = page->index;
}

int layout_refuse(struct dax_inode *inode, struct page *page)
{
	char who[160];

	assert_rwsem_held_write(&inode->fault_lock);
	page = page_to_record(page);
	note_busy(inode, page);
	holders_describe(page, who, sizeof(who));
	return refuse(-EAGAIN,
		      "%s: page %lu (pfn 0x%lx) is held by %s: ask again when it is put; the "
		      "range is unmapped, nothing is freed",
		      inode->name, page->index, page_to_pfn(page), who);
}

/* LAB 06 sleep: until the page is idle, without the fault lock, and woken by its last put */
/* What is waited for; who listens by now is known. Museum: said behind the first look. */
static bool idle_or_listens(struct page *page, struct pgmap *pgmap,
			    bool (*held)(const struct page *), bool *listens)
{
	bool idle = !held(page);

	if (!*listens)
		pgmap_listen(pgmap);
	*listens = true;
	return idle;
}

int layout_sleep(struct dax_inode *inode, struct page *page, bool (*held)(const struct page *),
		 const char *waker)
{
	uint64_t start = clock_ns();
	bool listens = !museum_on(listens_late);
	struct sleep_text text;
	struct pgmap *pgmap;
	int err;

	assert_rwsem_held_write(&inode->fault_lock);
	assert_no_global_lock("a held page");
	page = page_to_record(page); /* whose count the last put brings to rest */
	pgmap = page->pgmap;	     /* asked now: behind the sleep the record may be gone (C-7) */
	describe(&text, inode, page, waker);
	note_busy(inode, page);
	/* Give way while asleep, else a fault of the holder itself waits for us, and we for it. */
	up_write(&inode->fault_lock);
	if (listens)
		pgmap_listen(pgmap); /* else the last put tells nobody */
	err = wait_event_interruptible(&page->state, idle_or_listens(page, pgmap, held, &listens),
				       text.what, text.who);
	pgmap_unlisten(pgmap);
	STEP_POINT(layout_woken);
	down_write(&inode->fault_lock);
	inode->last_break.waited_ns += clock_ns() - start;
	return err;
}
/* END */

void layout_sleep_final(struct dax_inode *inode, struct page *page,
			bool (*held)(const struct page *), const char *waker)
{
	struct sleep_text text;
	struct pgmap *pgmap;

	assert_no_global_lock("a held page");
	page = page_to_record(page);
	pgmap = page->pgmap; /* as in layout_sleep() */
	describe(&text, inode, page, waker);
	note_busy(inode, page);
	pgmap_listen(pgmap);
	wait_event(&page->state, !held(page), text.what, text.who);
	pgmap_unlisten(pgmap);
}

int layout_break_leases(struct dax_inode *inode, unsigned classes, enum layout_reason reason)
{
	bool give_io = reason != LAYOUT_EXCHANGE;
	uint64_t start = clock_ns();
	int err;

	inode->last_break.busy_seen++;
	up_write(&inode->fault_lock);
	if (give_io)
		up_write(&inode->io_lock);
	err = lease_break(&inode->leases, classes, true);
	if (give_io)
		down_write(&inode->io_lock);
	down_write(&inode->fault_lock);
	inode->last_break.waited_ns += clock_ns() - start;
	return err;
}

/* True: it has such leases, and they are being broken. */
static inline bool break_begins(struct dax_inode *inode)
{
	return unlikely(lease_break(&inode->leases, LEASE_LAYOUT, false) == -EWOULDBLOCK);
}

/* LAB 06 again: everybody is asked, and asked once more whenever somebody was waited for */
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
			err = layout_break_leases(inode, LEASE_LAYOUT, reason);
		if (err || reason == LAYOUT_WRITE)
			return err;
		err = inode->fs->lifetime->break_layout(inode, first, last, reason);
		/* A lease may have been set while a page was waited for. */
	} while (!err && !museum_on(leases_once) && break_begins(inode));
	return err;
}
/* END */

int layout_break(struct dax_inode *inode, uint64_t first, uint64_t last, enum layout_reason reason)
{
	int err = break_leases_and_pages(inode, first, last, reason);

	return err == -EINTR
		       ? refuse(err, "interrupted while waiting for %s%s; nothing was changed",
				reason == LAYOUT_WRITE ? "a lease on " : "", inode->name)
		       : err;
}

int layout_break_fault(struct dax_inode *inode, unsigned classes)
{
	if (likely(lease_break(&inode->leases, classes, false) != -EWOULDBLOCK))
		return 0;
	return refuse(-EAGAIN,
		      "the store would change the file's blocks, and a lease promises that they "
		      "stay; its owner has been asked to give it back ('lease' lists it): store "
		      "again then (SIGBUS)");
}

/* The lease before the look at the device's state, with a full barrier in between; a kill marks the
 * device and looks for leases then. Else both miss each other, and a client goes on with a device
 * that is gone. The fault lock orders them as well; the barrier is for leases that are set without
 * it (explore lease.kill-file, museum lease-unlocked). */
static bool device_is_gone(const struct dax_inode *inode)
{
	smp_mb();
	return !pmem_is_present(inode->fs->region);
}

int layout_lease_set(struct dax_inode *inode, struct lease *l, bool may)
{
	const bool locked = !museum_on(lease_unlocked);
	int err;

	if (locked)
		down_write(&inode->fault_lock);
	err = lease_set(&inode->leases, l, may);
	if (locked)
		up_write(&inode->fault_lock);
	if (!err && device_is_gone(inode)) {
		lease_unlock(l);
		return refuse(-ENXIO,
			      "%s was killed: nothing of %s may be held any more; 'pmem revive %s' "
			      "ends that",
			      inode->fs->region->name, inode->name, inode->fs->region->name);
	}
	if (err == -EACCES)
		return refuse(err, "only the owner of %s may lease it", inode->name);
	if (err == -EAGAIN)
		return refuse(err,
			      "a lease of %s is being broken ('lease' lists it); ask again "
			      "when it is over",
			      inode->name);
	return err ? refuse(err, "leases are disabled") : 0;
}

bool layout_leased(struct dax_inode *inode)
{
	return lease_break(&inode->leases, LEASE_ALL, false) == -EWOULDBLOCK;
}

int layout_break_size(struct dax_inode *inode, uint64_t size)
{
	uint64_t before;
	int err;

	do { /* the file may have grown or shrunk while a lease was waited for */
		before = inode->size;
		err = layout_break(inode, size >> PAGE_SHIFT, DAX_TO_END,
				   size <= before ? LAYOUT_SIZE : LAYOUT_WRITE);
	} while (!err && !museum_on(size_once) && (size <= before) != (size <= inode->size));
	return err;
}

unsigned dax_vma_flags(const struct dax_fs *fs)
{
	return (fs->lifetime->no_fast_gup ? VM_SLOWGUP : 0) | (fs->longterm ? VM_LONGTERM : 0) |
	       (pmem_is_limited(fs->region) ? VM_LIMITED : 0);
}

int dax_gup_begin(struct vma *vma, unsigned long nr, void **cookie)
{
	return dax_file_gup_begin(vma->private, nr, cookie);
}

int dax_file_gup_begin(struct dax_inode *inode, unsigned long nr, void **cookie)
{
	const struct lifetime *lt = inode->fs->lifetime;

	return lt->gup_begin ? lt->gup_begin(inode, nr, cookie) : 0;
}

void dax_gup_end(void *cookie, struct page **pages, unsigned long nr)
{
	const struct gup_cookie *c = cookie;

	if (c)
		c->lifetime->gup_end(cookie, pages, nr);
}
