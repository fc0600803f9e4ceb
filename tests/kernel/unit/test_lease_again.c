/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: what a breaker asks again after it slept. While it waits it holds no lock, so what it
 * knew before may be wrong afterwards: other leases are there, a lease came while it waited for a
 * page, the file has another size.
 */
#include "tests/kernel/lib/fixture.h"

static int break_both(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return lease_break(&f->leases, LEASE_ALL, true);
}

static int punch_page(struct dax_inode *f, uint64_t page)
{
	return dax_punch(f, page * PAGE_SIZE, PAGE_SIZE);
}

/* Waits until `op` sleeps for a lease of its file. False: it is over. */
static bool asks_lease(struct fx_op *op)
{
	return fx_falls_asleep(op, &op->inode->leases);
}

SELFTEST(lease_all_of_them, "lease.all-of-them",
	 "who breaks two leases goes on when both have gone, not behind the first one")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 2, 'a');
	struct lease a = fx_layout_lease(), b = fx_layout_lease();
	struct fx_op op = {.inode = f, .fn = break_both};
	bool first, second;

	EXPECT_OR(out, f, "no file");
	EXPECT_OR(close, !lease_set(&f->leases, &a, true) && !lease_set(&f->leases, &b, true),
		  "a lease is refused");
	EXPECT_OR(close, fx_start(&op), "no thread");
	first = asks_lease(&op);
	lease_unlock(&a);
	quiet_wait();
	second = !fx_done(&op);
	lease_unlock(&b);
	fx_join(&op);
	EXPECT_OR(close, first && second && !op.err, "slept %d, then %d, error %d", first, second,
		  op.err);
close:
	dax_put(f);
out:
	fixture_end(&fx);
}

SELFTEST(lease_while_page, "lease.set-while-page-waits",
	 "idle-at-one: a lease that is set while a punch sleeps for a page is waited for as well")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct fx_op op = {.inode = fx.inode[0], .fn = punch_page};
	struct lease l = fx_layout_lease();
	bool slept, asked;
	struct page *page;

	EXPECT_OR(out, va && get_user_pages_fast(va, 1, FOLL_PIN, &page) == 1, "nothing is held");
	if (!fx_start(&op))
		unpin_user_pages(&page, 1);
	EXPECT_OR(out, op.thread, "no thread");
	slept = fx_asleep(&op, page);
	if (slept && lease_set(&op.inode->leases, &l, true))
		slept = false;
	unpin_user_pages(&page, 1);
	asked = asks_lease(&op);
	lease_unlock(&l);
	fx_join(&op);
	EXPECT_OR(out, slept && asked && !op.err, "slept %d, asked the lease %d, error %d", slept,
		  asked, op.err);
out:
	fixture_end(&fx);
}

/* `op`, a punch, sleeps for the lease alone; the page is mapped again, and held. */
static bool hold_again(uint64_t va, struct page **page)
{
	return at(va)[0] == 'a' && get_user_pages_fast(va, 1, FOLL_PIN, page) == 1;
}

/* Breaks it: the last break of the leases goes on without another look at the pages. */
SELFTEST(lease_then_page, "lease.page-while-lease-waits",
	 "idle-at-one: a page that is taken while a punch sleeps for a lease, which was set while "
	 "it slept for that page, is waited for once more")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct fx_op op = {.inode = fx.inode[0], .fn = punch_page};
	struct lease l = fx_layout_lease();
	bool slept, asked, held = false, again = false;
	struct page *page;

	EXPECT_OR(out, va && get_user_pages_fast(va, 1, FOLL_PIN, &page) == 1, "nothing is held");
	if (!fx_start(&op))
		unpin_user_pages(&page, 1);
	EXPECT_OR(out, op.thread, "no thread");
	slept = fx_asleep(&op, page) && !lease_set(&op.inode->leases, &l, true);
	unpin_user_pages(&page, 1);
	asked = slept && asks_lease(&op);
	if (asked)
		held = hold_again(va, &page);
	lease_unlock(&l);
	if (held) {
		again = fx_asleep(&op, page);
		unpin_user_pages(&page, 1);
	}
	fx_join(&op);
	EXPECT_OR(out, asked && held && again && !op.err,
		  "slept %d, asked the lease %d, held again %d, waited for it %d, error %d", slept,
		  asked, held, again, op.err);
out:
	fixture_end(&fx);
}

static int write_page(struct dax_inode *f, uint64_t page)
{
	return dax_write(f, page * PAGE_SIZE, "w", 1) == 1 ? 0 : -EIO;
}

/* Breaks it: a write that asks for leases once. */
SELFTEST(lease_while_write, "lease.set-while-write-returns",
	 "a lease that is set when a write has waited for another one, and has not its locks back, "
	 "is waited for as well")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	struct fx_op op = {.inode = f, .arg = 1, .fn = write_page};
	struct lease a = fx_layout_lease(), b = fx_layout_lease();
	bool first, back, second;

	EXPECT_OR(out, f && !lease_set(&f->leases, &a, true), "no file, or no lease");
	if (!fx_start(&op))
		lease_unlock(&a);
	EXPECT_OR(close, op.thread, "no thread");
	first = asks_lease(&op);
	down_write(&f->io_lock);
	lease_unlock(&a);
	back = fx_falls_asleep(&op, &f->io_lock) && !lease_set(&f->leases, &b, true);
	up_write(&f->io_lock);
	second = back && asks_lease(&op);
	lease_unlock(&b);
	fx_join(&op);
	EXPECT_OR(close, first && back && second && !op.err,
		  "asked the first %d, came back %d, asked the second %d, error %d", first, back,
		  second, op.err);
close:
	dax_put(f);
out:
	fixture_end(&fx);
}

/* Breaks it: layout_break_leases(inode, LEASE_ALL, …) for every change. */
SELFTEST(lease_of_its_class, "lease.layout-alone",
	 "a write and a punch break the leases of the layout, and none that get_user_pages() has")
{
	static int (*const change[])(struct dax_inode *, uint64_t) = {write_page, punch_page};

	for (unsigned i = 0; i < ARRAY_SIZE(change) && !t->failed; i++) {
		FIXTURE(fx, LIFETIME_DEFAULT);
		struct dax_inode *f = scratch_file("f", 1, 'a');
		struct fx_op op = {.inode = f, .fn = change[i]};
		struct lease a = fx_layout_lease(), pages = fx_layout_lease();
		bool asked = false, ended = false, told = false;

		pages.class = LEASE_ALLOCATED;
		if (f && !lease_set(&f->leases, &a, true) && !lease_set(&f->leases, &pages, true) &&
		    fx_start(&op)) {
			asked = asks_lease(&op);
			lease_unlock(&a);
			ended = fx_ends(&op); /* whoever waits for its break time ends, too */
			told = pages.pending || !pages.list;
			lease_unlock(&pages);
			fx_join(&op);
		}
		lease_unlock(&a);
		lease_unlock(&pages);
		if (f)
			dax_put(f);
		fixture_end(&fx);
		EXPECT(asked && ended && !told && !op.err,
		       "change %u: asked %d, went on %d, told the other one %d, error %d", i, asked,
		       ended, told, op.err);
	}
}

/* What a write does that was faster than the one who waits: both locks of the layout are held. */
static int grow_by_write(struct dax_inode *f, uint64_t page)
{
	int64_t n;

	mutex_lock(&f->fs->lock);
	n = f->ops->write(f, page * PAGE_SIZE, "w", 1);
	f->size = f->ops->size(f);
	mutex_unlock(&f->fs->lock);
	return n < 0 ? (int)n : 0;
}

/* `op`, a truncate to three pages, sleeps for the lease. The lease goes, and a write is first with
 * the lock: the file has five pages, the last one held. 0 or errno. */
static int outrun(struct fixture *fx, struct fx_op *op, struct lease *l, struct page **page)
{
	uint64_t va = 0;
	int err;

	down_write(&op->inode->io_lock);
	lease_unlock(l);
	err = grow_by_write(op->inode, 4);
	if (!err) {
		dax_get(op->inode); /* for the fixture */
		va = fx_map_as_is(fx, op->inode, 5, true);
	}
	if (!va || get_user_pages_fast(va + 4 * PAGE_SIZE, 1, FOLL_PIN, page) != 1)
		err = err ?: -EFAULT;
	up_write(&op->inode->io_lock);
	return err;
}

SELFTEST(lease_grown, "lease.grown-meanwhile",
	 "idle-at-one: a truncate to more that waits for a lease, and finds a file that has grown "
	 "beyond that, waits for the pages that it cuts off (R17)")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	struct fx_op op = {.inode = f, .arg = 3 * PAGE_SIZE, .fn = fx_truncate};
	struct lease l = fx_layout_lease();
	struct page *page;
	bool asked, slept;
	int err;

	EXPECT_OR(out, f && !lease_set(&f->leases, &l, true), "no file, or no lease");
	if (!fx_start(&op))
		lease_unlock(&l);
	EXPECT_OR(close, op.thread, "no thread");
	asked = asks_lease(&op);
	err = outrun(&fx, &op, &l, &page);
	slept = !err && fx_asleep(&op, page);
	if (!err)
		unpin_user_pages(&page, 1);
	fx_join(&op);
	EXPECT_OR(close, asked && !err && slept, "asked %d, error %d, waited for the page %d",
		  asked, err, slept);
	EXPECT_OR(close, !op.err && f->size == 3 * PAGE_SIZE, "error %d, %lu bytes", op.err,
		  f->size);
close:
	dax_put(f);
out:
	fixture_end(&fx);
}
