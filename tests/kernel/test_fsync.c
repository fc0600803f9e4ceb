/* SPDX-License-Identifier: MIT */
/* Self-tests: what fsync makes of entries that are locked, clean or dirty (dax.fsync-*). */
#include "tests/kernel/fixture.h"

#define PAGES 200u /* several nodes of the index */

static int op_fsync(struct dax_inode *inode, uint64_t arg)
{
	(void)arg;
	return dax_fsync(inode);
}

/* Waits until the thread sleeps for anything. False: it did not within 10,000 looks. */
static bool asleep(struct fx_op *op)
{
	for (unsigned i = 0; i < 10000 && !fx_done(op); i++) {
		if (__atomic_load_n(&op->thread->waiting, __ATOMIC_ACQUIRE))
			return true;
		thread_sleep_ns(100000);
	}
	return false;
}

static bool is_dirty(struct dax_inode *inode, uint64_t pgoff)
{
	return entry_next(inode, &(uint64_t){pgoff}, pgoff + 1) & ENTRY_DIRTY;
}

SELFTEST(dax_fsync_waits_for_fault, "dax.fsync-waits-for-fault",
	 "fsync waits for an entry that a fault holds, and sees the dirty mark it leaves")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 3, 'a'), entry;
	struct fx_op sync = {.inode = fx.inode[0], .fn = op_fsync};
	bool slept;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 3; i++)
		(void)at(va)[i * PAGE_SIZE]; /* entries, all clean */
	entry = entry_lock(fx.inode[0], 1);  /* a fault for a store, half way */
	EXPECT_OR(out, entry && !(entry & ENTRY_DIRTY), "entry 0x%lx", entry);
	if (!fx_start(&sync)) {
		entry_unlock(fx.inode[0], 1, entry);
		EXPECT_OR(out, false, "no memory for a thread");
	}
	slept = asleep(&sync);
	entry_unlock(fx.inode[0], 1, entry | ENTRY_DIRTY);
	fx_join(&sync);
	EXPECT_OR(out, slept, "fsync did not wait for the entry");
	EXPECT_OR(out, !sync.err && !is_dirty(fx.inode[0], 1), "error %d, or still dirty",
		  sync.err);
out:
	fixture_end(&fx);
}

SELFTEST(dax_fsync_cleans_all, "dax.fsync-cleans-all",
	 "fsync cleans every dirty entry, whatever runs they lie in, and no store is lost after it")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", PAGES, 'a');
	unsigned dirty = 0, missed = 0, step = 1;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < PAGES; i += step, step = step % 7 + 1)
		at(va)[i * PAGE_SIZE] =
			'b'; /* runs of one page, of several, gaps of every length */
	for (unsigned i = PAGES / 2; i < PAGES; i++)
		at(va)[i * PAGE_SIZE] = 'c';
	EXPECT_OR(out, !dax_fsync(fx.inode[0]), "%s", dax_why());
	for (unsigned i = 0; i < PAGES; i++)
		dirty += is_dirty(fx.inode[0], i);
	EXPECT_OR(out, !dirty, "%u entries are still dirty", dirty);
	for (unsigned i = 0; i < PAGES; i++)
		at(va)[i * PAGE_SIZE] = 'd';
	for (unsigned i = 0; i < PAGES; i++)
		missed += !is_dirty(fx.inode[0], i);
	EXPECT_OR(out, !missed, "%u stores after the fsync left no mark", missed);
out:
	fixture_end(&fx);
}
