/* SPDX-License-Identifier: MIT */
/* Self-tests: what fsync makes of entries that are locked, clean or dirty (dax.fsync-*). */
#include "dax/file/internal.h"
#include "tests/kernel/lib/huge.h"

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
	EXPECT_OR(out, !dax_fsync(fx.inode[0]), "%s", refusal());
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

/* A page's lines, and whether it could be stored to while they went back. */
static struct {
	const struct persist_observer *before;
	uint64_t va;
	const void *bytes;
	unsigned seen, writable;
} lines;

static void line_goes_back(const void *p, size_t n)
{
	const uint64_t *pte = pte_walk(current_mm()->root, lines.va, 1, false, NULL);

	if (p == lines.bytes) {
		lines.seen++;
		lines.writable += pte && (*pte & PTE_W);
	}
	if (lines.before && lines.before->wrote_back)
		lines.before->wrote_back(p, n);
}

static void lines_fenced(void)
{
	if (lines.before && lines.before->fenced)
		lines.before->fenced();
}

SELFTEST(dax_fsync_protects_first, "dax.fsync-protects-first",
	 "when fsync writes a page's lines back, a store to it faults already: none is missed by "
	 "both")
{
	static const struct persist_observer observer = {line_goes_back, lines_fenced};
	FIXTURE(fx, LIFETIME_DEFAULT);
	int err;

	lines.seen = lines.writable = 0;
	lines.va = fx_map(&fx, "f", 1, 'a');
	EXPECT_OR(out, lines.va, "not mapped");
	at(lines.va)[0] = 'b';
	lines.bytes = page_to_virt(fx_va_to_page(lines.va));
	lines.before = persist_get_observer();
	persist_set_observer(&observer);
	err = dax_fsync(fx.inode[0]);
	persist_set_observer(lines.before);
	EXPECT_OR(out, !err && lines.seen == 1, "error %d, written back %u times", err, lines.seen);
	EXPECT_OR(out, !lines.writable, "it was writable when its lines went back");
out:
	fixture_end(&fx);
}

/* What faults do to the index of a file whose first 2 MiB are `from` until they are `to`: single
 * page, or all of it. */
static void put_single(struct dax_inode *inode, uint64_t pgoff, uint64_t value)
{
	spin_lock(&inode->tree_lock);
	index_remove_large(&inode->index, index_slot(&inode->index, 0), 0);
	inode->nr_huge--;
	index_add(&inode->index, pgoff, value);
	spin_unlock(&inode->tree_lock);
}

static void put_huge(struct dax_inode *inode, uint64_t pgoff, uint64_t value)
{
	bool taken;

	spin_lock(&inode->tree_lock);
	index_remove(&inode->index, index_slot(&inode->index, pgoff), pgoff, 1);
	index_add_large(&inode->index, 0, value, &taken);
	inode->nr_huge++;
	spin_unlock(&inode->tree_lock);
}

SELFTEST(dax_fsync_meets_huge, "dax.fsync-meets-2mib",
	 "fsync waits for a fault on a hole, which leaves no entry; by the time it looks again one "
	 "of 2 MiB is there")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), entry;
	struct fx_op sync = {.inode = fx.inode[0], .fn = op_fsync};
	bool slept;

	EXPECT_OR(out, va && level_at(va) == 2, "not mapped by 2 MiB");
	entry = entry_next(fx.inode[0], &(uint64_t){0}, 1);
	EXPECT_OR(out, entry & ENTRY_DIRTY, "entry 0x%lx is not dirty", entry);
	put_single(fx.inode[0], 100, ENTRY_EMPTY | ENTRY_LOCKED);
	if (!fx_start(&sync)) {
		put_huge(fx.inode[0], 100, entry);
		EXPECT_OR(out, false, "no memory for a thread");
	}
	slept = asleep(&sync);
	put_huge(fx.inode[0], 100, entry);
	/* As the fault's unlock wakes it. */
	entry_unlock(fx.inode[0], 0, entry_lock(fx.inode[0], 0));
	fx_join(&sync);
	EXPECT_OR(out, slept, "fsync did not wait for the entry");
	EXPECT_OR(out, !sync.err && !is_dirty(fx.inode[0], 0), "error %d, or still dirty",
		  sync.err);
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

/* The holder of an entry, who lets go. */
struct let_go {
	struct dax_inode *inode;
	uint64_t *slot, value;
};

static void let_go(void *arg)
{
	struct let_go *l = arg;

	__atomic_store_n(l->slot, l->value, __ATOMIC_RELEASE);
	lock_order_drop(entry_wait_key(l->inode, 0), LOCK_BIT);
}

SELFTEST(dax_entry_unlock_kept, "dax.unlock-is-not-undone",
	 "who finds an entry locked writes nothing: its holder may have let go since the look, "
	 "without the tree lock")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a'), *slot, value, again;
	struct let_go l;
	unsigned fired;
	int err;

	EXPECT_OR(out, va, "not mapped");
	(void)at(va)[0];
	value = entry_lock_at(fx.inode[0], 0, false, &slot);
	l = (struct let_go){fx.inode[0], slot, value};
	preempt_disable();
	err = step_arm("entry_seen", let_go, &l);
	lock_order_nested("the first holder lets go at the step point");
	again = err ? 0 : entry_lock_at(fx.inode[0], 0, false, &slot); /* must not have to sleep */
	fired = step_disarm();
	preempt_enable();
	entry_unlock(fx.inode[0], 0, value);
	EXPECT_OR(out, !err && fired == 1, "the step point: error %d, fired %u times", err, fired);
	EXPECT_OR(out, again == value, "entry 0x%lx, and 0x%lx the second time", value, again);
out:
	fixture_end(&fx);
}
