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
