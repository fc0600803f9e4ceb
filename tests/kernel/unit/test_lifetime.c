/* SPDX-License-Identifier: MIT */
/* Self-tests: lifetimes, waiting for a holder, mounts (lifetime.*, mount.*). */
#include "dax/file/internal.h"
#include "tests/kernel/lib/fixture.h"

#define PIN (FOLL_PIN | FOLL_WRITE)

/* Maps "f" with one page, touches and pins it. NULL: a step failed. */
static struct page *pinned_page(struct fixture *fx)
{
	uint64_t va = fx_map(fx, "f", 1, 'a');
	struct page *p = NULL;

	if (!va || get_user_pages_fast(va, 1, PIN, &p) != 1)
		return NULL;
	return p;
}

SELFTEST(lifetime_waits, "lifetime.last-put-wakes",
	 "idle-at-one: truncate of a held page sleeps, and the last put wakes it")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	struct page *p = pinned_page(&fx);
	struct fx_op op = {.inode = fx.inode[0], .fn = fx_truncate};
	bool asleep, in_time;

	EXPECT_OR(out, p && fx_start(&op), "no pinned page");
	asleep = fx_asleep(&op, p);
	unpin_user_pages(&p, 1);
	in_time = fx_ends(&op);
	if (!in_time)
		thread_signal(op.thread);
	fx_join(&op);
	EXPECT_OR(out, asleep, "truncate did not sleep");
	EXPECT_OR(out, in_time, "the last put woke nobody (I4)");
	EXPECT_OR(out, !op.err && fx.inode[0]->last_break.busy_seen == 1, "error %d, %u sleeps",
		  op.err, fx.inode[0]->last_break.busy_seen);
out:
	fixture_end(&fx);
}

SELFTEST(lifetime_unaware_goes_on, "lifetime.unaware-goes-on",
	 "unaware: truncate of a held page returns at once, with the block freed under the holder")
{
	FIXTURE(fx, &lifetime_unaware);
	struct page *p = pinned_page(&fx);
	int err;

	EXPECT_OR(out, p, "no pinned page");
	err = dax_truncate(fx.inode[0], 0);
	EXPECT_OR(put, !err, "error %d", err);
	EXPECT_OR(put, check_i5_idle() == 1, "check sees no held page with a free block");
put:
	unpin_user_pages(&p, 1);
out:
	fixture_end(&fx);
}

SELFTEST(lifetime_two_holders, "lifetime.two-holders",
	 "the first of two puts does not end the wait")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	struct page *p = pinned_page(&fx), *again;
	struct fx_op op = {.inode = fx.inode[0], .fn = fx_truncate};
	bool asleep, still;

	EXPECT_OR(out, p && get_user_pages_fast(fx.va[0], 1, PIN, &again) == 1, "no page");
	EXPECT_OR(out, fx_start(&op), "no thread");
	asleep = fx_asleep(&op, p);
	unpin_user_pages(&again, 1);
	quiet_wait();
	still = !fx_done(&op);
	unpin_user_pages(&p, 1);
	fx_join(&op);
	EXPECT_OR(out, asleep && still, "asleep %d, still there after the first put %d", asleep,
		  still);
	EXPECT_OR(out, !op.err, "error %d", op.err);
out:
	fixture_end(&fx);
}

/* Breaks it: `if` for `while` in layout_wait_idle(). */
SELFTEST(
	lifetime_each_page, "lifetime.every-page",
	"counted-map: two pages of a range are held; when the first of them is put, truncate waits "
	"for the other one")
{
	FIXTURE(fx, &lifetime_counted_map);
	uint64_t va = fx_map(&fx, "f", 3, 'a');
	struct fx_op op = {.inode = fx.inode[0], .fn = fx_truncate};
	struct page *page[3];
	bool first, other;

	EXPECT_OR(out, va && get_user_pages_fast(va, 3, PIN, page) == 3, "nothing is held");
	unpin_user_pages(&page[1], 1);
	first = fx_start(&op) && fx_asleep(&op, page[0]);
	unpin_user_pages(&page[0], 1);
	other = first && fx_asleep(&op, page[2]);
	unpin_user_pages(&page[2], 1);
	if (op.thread)
		fx_join(&op);
	EXPECT_OR(out, first && other && !op.err,
		  "waited for the first page %d, for the other one %d, error %d", first, other,
		  op.err);
out:
	fixture_end(&fx);
}

/* Breaks it: whoever has slept goes on with the page behind the one that he slept for. */
SELFTEST(lifetime_from_start, "lifetime.from-the-start",
	 "counted-map: while truncate sleeps for a page, one before it is mapped again and held: "
	 "that one is waited for as well")
{
	FIXTURE(fx, &lifetime_counted_map);
	uint64_t va = fx_map(&fx, "f", 3, 'a');
	struct fx_op op = {.inode = fx.inode[0], .fn = fx_truncate};
	struct page *last, *before;
	bool slept, held, again = false;

	EXPECT_OR(out, va && get_user_pages_fast(va + 2 * PAGE_SIZE, 1, PIN, &last) == 1,
		  "nothing is held");
	slept = fx_start(&op) && fx_asleep(&op, last);
	held = slept && at(va)[0] == 'a' && get_user_pages_fast(va, 1, FOLL_PIN, &before) == 1;
	unpin_user_pages(&last, 1);
	if (held) {
		again = fx_asleep(&op, before);
		unpin_user_pages(&before, 1);
	}
	if (op.thread)
		fx_join(&op);
	EXPECT_OR(out, slept && held && again && !op.err,
		  "slept %d, held one before %d, waited for it %d, error %d", slept, held, again,
		  op.err);
out:
	fixture_end(&fx);
}

SELFTEST(lifetime_signal, "lifetime.signal-changes-nothing",
	 "a signal ends the wait with -EINTR; size, blocks and contents are as before")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	struct page *p = pinned_page(&fx);
	struct fx_op op = {.inode = fx.inode[0], .fn = fx_truncate};
	uint64_t before = fx_free_blocks(&fx);

	EXPECT_OR(out, p && fx_start(&op), "no pinned page");
	EXPECT_OR(join, fx_asleep(&op, p), "truncate did not sleep");
	thread_signal(op.thread);
join:
	fx_join(&op);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, op.err == -EINTR, "error %d", op.err);
	EXPECT_OR(out, fx.inode[0]->size == PAGE_SIZE && fx_free_blocks(&fx) == before,
		  "size %lu, %ld blocks freed", fx.inode[0]->size,
		  (long)(fx_free_blocks(&fx) - before));
	EXPECT_OR(out, at(fx.va[0])[0] == 'a', "the byte is 0x%x", at(fx.va[0])[0]);
out:
	fixture_end(&fx);
}

/* Who listens for puts of another device, whose record stands where the page's was. */
static struct pgmap other_device = {.name = "other"};

/* Nobody holds the page; from now on nobody keeps its record, and another device's comes there. */
static bool held_no_more(const struct page *page)
{
	((struct page *)page)->pgmap = &other_device;
	return false;
}

/* Breaks it: who has slept asks page->pgmap whom he listened to. */
SELFTEST(lifetime_record_goes, "lifetime.record-goes-behind-the-sleep",
	 "the record of a page that nobody holds any more is another device's: a sleeper stops "
	 "listening where he began to (C-7)")
{
	FIXTURE(fx, &lifetime_counted_map);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct dax_inode *f = fx.inode[0];
	uint32_t ours[3], theirs = 0;
	struct pgmap *pgmap;
	struct page *p;

	EXPECT_OR(out, va && at(va)[0] == 'a', "not mapped");
	p = page_to_record(fx_va_to_page(va));
	pgmap = p->pgmap;
	ours[0] = pgmap->listeners;
	other_device.listeners = 10;
	down_write(&f->fault_lock);
	layout_sleep(f, p, held_no_more, "nobody");
	up_write(&f->fault_lock);
	ours[1] = pgmap->listeners;
	p->pgmap = pgmap;
	layout_sleep_final(f, p, held_no_more, "nobody");
	p->pgmap = pgmap;
	ours[2] = pgmap->listeners;
	theirs = other_device.listeners;
	pgmap->listeners = ours[0];
	EXPECT_OR(out, ours[1] == ours[0] && ours[2] == ours[0] && theirs == 10,
		  "of %u listeners %u are left, of an eviction %u; of the other device's 10, %u",
		  ours[0], ours[1], ours[2], theirs);
out:
	fixture_end(&fx);
}

static int write_word(struct dax_inode *inode, uint64_t at)
{
	return dax_write(inode, at, "word", 4) == 4 ? 0 : -EIO;
}

static int allocate_page(struct dax_inode *inode, uint64_t at)
{
	return dax_fallocate(inode, at, PAGE_SIZE, false);
}

/* Breaks it: a break for LAYOUT_WRITE that asks the lifetime. */
SELFTEST(lifetime_write_goes_on, "lifetime.write-goes-on",
	 "idle-at-one: what only adds blocks, a write, an allocation and a truncate to more, waits "
	 "for nobody who holds a page")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	struct page *p = pinned_page(&fx);
	struct fx_op op[] = {{.fn = write_word},
			     {.fn = write_word, .arg = PAGE_SIZE},
			     {.fn = allocate_page, .arg = 2 * PAGE_SIZE},
			     {.fn = fx_truncate, .arg = 5 * PAGE_SIZE}};
	bool over[ARRAY_SIZE(op)] = {false};
	unsigned n = 0;

	EXPECT_OR(out, p, "no pinned page");
	for (; n < ARRAY_SIZE(op) && (!n || over[n - 1]); n++) {
		op[n].inode = fx.inode[0];
		over[n] = fx_start(&op[n]) && fx_ends(&op[n]) && !op[n].err;
	}
	unpin_user_pages(&p, 1);
	for (unsigned i = 0; i < n; i++)
		if (op[i].thread)
			fx_join(&op[i]);
	EXPECT_OR(out, n == ARRAY_SIZE(op) && over[n - 1],
		  "the one with number %u waits, or fails with %d", n - 1, op[n - 1].err);
out:
	fixture_end(&fx);
}

SELFTEST(lifetime_faults_go_on, "lifetime.faults-go-on",
	 "while truncate sleeps, faults in the file go on: the holder cannot deadlock with it")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	struct page *p = pinned_page(&fx);
	struct fx_op op = {.inode = fx.inode[0], .fn = fx_truncate};
	bool asleep;
	char c = 0;

	EXPECT_OR(out, p && fx_start(&op), "no pinned page");
	asleep = fx_asleep(&op, p);
	if (asleep)
		c = at(fx.va[0])[0]; /* unmapped by the scan: a real fault, with fault_lock */
	unpin_user_pages(&p, 1);
	fx_join(&op);
	EXPECT_OR(out, asleep && c == 'a', "asleep %d, the fault read 0x%x", asleep, c);
out:
	fixture_end(&fx);
}

SELFTEST(lifetime_interrupt_put, "lifetime.put-in-interrupt",
	 "a device's completion interrupt is a last put like any other: it wakes truncate")
{
	struct dma_job *job;
	struct fx_op op;
	struct page *p;
	int err;

	if (scratch_choose_edus(1))
		SKIP("%s", refusal());
	FIXTURE(fx, &lifetime_idle_at_one);
	p = pinned_page(&fx);
	EXPECT_OR(out, p, "no pinned page");
	job = dma_start(scratch_edu(0), &p, 1, DMA_IN, "dma ", 1, &err);
	EXPECT_OR(out, job, "error %d", err);
	op = (struct fx_op){.inode = fx.inode[0], .fn = fx_truncate};
	fx_start(&op);
	fx_join(&op);
	err = dma_done(job);
	dma_wait(job);
	dma_free(job);
	EXPECT_OR(out, err && !op.err, "truncate ended (%d) before the device had", op.err);
out:
	fixture_end(&fx);
}

SELFTEST(lifetime_idle_is_quick, "lifetime.idle-does-not-sleep",
	 "truncate of pages that nobody holds does not sleep")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = fx_map(&fx, "f", 4, 'a');

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = 'b';
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 0), "%s", refusal());
	EXPECT_OR(out, !fx.inode[0]->last_break.busy_seen, "%u sleeps",
		  fx.inode[0]->last_break.busy_seen);
out:
	fixture_end(&fx);
}

SELFTEST(lifetime_held_elsewhere, "lifetime.other-pages-do-not-matter",
	 "busy-extent: a held page before the new end neither delays truncate nor becomes busy")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t va = fx_map(&fx, "f", 4, 'a');
	struct page *p;
	uint64_t state;
	int err;

	EXPECT_OR(out, va && get_user_pages_fast(va, 1, PIN, &p) == 1, "no page");
	err = dax_truncate(fx.inode[0], PAGE_SIZE);
	state = page_state(p);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !err && !fx.inode[0]->last_break.busy_seen, "error %d, %u sleeps", err,
		  fx.inode[0]->last_break.busy_seen);
	EXPECT_OR(out, !(state & PAGE_BUSY) && p->mapping == &fx.inode[0]->mapping,
		  "state 0x%lx, link %p", state, (void *)p->mapping);
out:
	fixture_end(&fx);
}

SELFTEST(mount_busy, "mount.busy-is-named",
	 "umount with an open file is refused, and names the file")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("open", 1, 'a');
	int err;

	EXPECT_OR(out, f, "no file");
	err = dax_umount(SCRATCH_PATH);
	dax_put(f);
	EXPECT_OR(out, err == -EBUSY && strstr(refusal(), "open"), "%d: %s", err, refusal());
out:
	fixture_end(&fx);
}

SELFTEST(mount_twice, "mount.twice-refused", "one device, one mount; one path, one mount")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	int again = dax_mount(fx.fs->region, "/elsewhere", LIFETIME_DEFAULT, NULL);
	int bad = dax_mount(fx.fs->region, "relative", LIFETIME_DEFAULT, NULL);

	fixture_end(&fx);
	EXPECT(again == -EBUSY && bad == -EINVAL, "%d, %d", again, bad);
}

SELFTEST(mount_other_lifetime, "mount.held-keeps-lifetime",
	 "another lifetime is refused while a page is held, and accepted at rest")
{
	struct dax_fs *fs;
	const char *why;
	struct page *p;
	int held, rest;

	FIXTURE(fx, &lifetime_unaware);
	p = pinned_page(&fx);
	fixture_end(&fx);
	EXPECT(p, "no pinned page");
	held = scratch_mount(SCRATCH_SMALL, &lifetime_idle_at_one, &fs, &why);
	unpin_user_pages(&p, 1);
	rest = scratch_mount(SCRATCH_SMALL, &lifetime_idle_at_one, &fs, &why);
	if (!rest)
		scratch_umount();
	EXPECT(held == -EBUSY && rest == 0, "held %d, at rest %d", held, rest);
}

/* Stores to a page, kills the device, and says what fsync returns. */
static int fsync_of_dead(struct selftest_run *t, bool sectors)
{
	const struct mount_options o = {.sectors = sectors};
	struct pmem_region *r = scratch_device();
	struct fixture fx = {0};
	uint64_t va, word;
	int err = -ENOENT, again = 0, fault = 0;

	if (dax_mount_with(r, SCRATCH_PATH, &lifetime_unaware, &o, &fx.fs))
		return -ENODEV;
	va = fx_map(&fx, "f", 2, 'a');
	if (va) {
		at(va)[0] = 'b';
		pmem_kill(r);
		err = dax_fsync(fx.inode[0]);
		again = dax_fsync(fx.inode[0]);
		fault = load_checked((uint64_t *)(va + PAGE_SIZE), &word);
		pmem_revive(r);
	}
	if (va && !fault)
		selftest_fail(t, __FILE__, __LINE__, "fault", "a dead device gives a page");
	if (va && again != err)
		selftest_fail(t, __FILE__, __LINE__, "again", "the second fsync forgets the first");
	if (va && dax_fsync(fx.inode[0]))
		selftest_fail(t, __FILE__, __LINE__, "alive", "a live device is not flushed");
	fixture_end(&fx);
	return err;
}

SELFTEST(
	lifetime_sectors, "lifetime.unaware-sectors",
	"unaware: after its device was killed, an entry that holds a sector cannot be flushed; one "
	"that holds a page frame can (A-2)")
{
	int sectors, pfns;

	FIXTURE(fx, &lifetime_unaware); /* a fresh file system, and its absence by name */
	fixture_end(&fx);
	sectors = fsync_of_dead(t, true);
	pfns = fsync_of_dead(t, false);
	EXPECT(sectors == -EIO && !pfns, "sectors %d, page frames %d", sectors, pfns);
}

SELFTEST(check_sees, "check.sees-a-wrong-link",
	 "check finds a page record that names another place (I6)")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	unsigned right, wrong;
	struct page *p;

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = 'b';
	p = fx_va_to_page(va);
	right = check_i6_association();
	p->index = 7;
	wrong = check_i6_association();
	p->index = 0;
	EXPECT_OR(out, right == 0 && wrong > 0, "%u violation(s) before, %u after", right, wrong);
out:
	fixture_end(&fx);
}
