/* SPDX-License-Identifier: MIT */
/* Self-tests: entries at the ends of a range, and those that somebody else has locked. */
#include "dax/file/internal.h"
#include "mm/device/internal.h"
#include "tests/kernel/lib/huge.h"

SELFTEST(entry_gone, "dax.entry-unlocked-as-nothing",
	 "an entry that is unlocked with no value is gone, as if it had not been locked")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f;
	uint64_t va = fx_map(&fx, "f", 1, 'g');
	uint64_t value;

	EXPECT_OR(out, va, "no file");
	f = fx.inode[0];
	value = entry_lock(f, 0);
	EXPECT_OR(out, value, "no memory");
	entry_unlock(f, 0, 0);
	EXPECT_OR(out, f->index.nr == 0, "%lu entries", f->index.nr);
out:
	fixture_end(&fx);
}

SELFTEST(entry_runs, "dax.entries-are-runs",
	 "entries whose pages lie side by side are one run, up to the end that was asked for")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 4, 'r'), at_page = 0;
	struct entry_run run;
	bool beside;

	EXPECT_OR(out, va, "no file");
	for (unsigned i = 0; i < 4; i++)
		(void)*at(PAGE(va, i));
	beside = fx_va_to_page(PAGE(va, 2)) == fx_va_to_page(va) + 2;
	EXPECT_OR(out, beside && entries_next(fx.inode[0], &at_page, 3, &run), "no run");
	EXPECT_OR(out, run.pgoff == 0 && run.nr == 3 && at_page == 3,
		  "%u entries from %lu on, then %lu", run.nr, run.pgoff, at_page);
out:
	fixture_end(&fx);
}

SELFTEST(entry_punch_next, "huge.punch-ends-at-next",
	 "a hole that ends where the next 2 MiB begin leaves these mapped, dirty and not flushed")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 3), entry;
	struct dax_inode *f;

	EXPECT_OR(out, va && level_at(PAGE(va, 2 * N)) == 2, "not mapped by 2 MiB");
	f = fx.inode[0];
	EXPECT_OR(out, !dax_punch(f, 0, 2 * N * PAGE_SIZE), "%s", refusal());
	entry = entry_next(f, &(uint64_t){2 * N}, 2 * N + 1);
	EXPECT_OR(out, (entry & ENTRY_PMD) && (entry & ENTRY_DIRTY) && f->index.nr == 1,
		  "entry 0x%lx, %lu in all", entry, f->index.nr);
	EXPECT_OR(out, level_at(va) == 0 && level_at(PAGE(va, 2 * N)) == 2, "levels %u and %u",
		  level_at(va), level_at(PAGE(va, 2 * N)));
	EXPECT_OR(out, *at(PAGE(va, 2 * N)) == 'c' && !*at(va) && !check_all(), "bytes");
out:
	fixture_end(&fx);
}

static int op_fsync(struct dax_inode *inode, uint64_t unused)
{
	(void)unused;
	return dax_fsync(inode);
}

static uint64_t entry_of(struct dax_inode *inode, uint64_t pgoff)
{
	return entry_next(inode, &(uint64_t){pgoff}, pgoff + 1);
}

SELFTEST(entry_fsync_one, "dax.fsync-unlocks-its-own",
	 "of two entries that a fault each holds, fsync gives back the lock of the one it took")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'o'), entry[2] = {0};
	struct fx_op sync = {.fn = op_fsync};
	bool slept = false, kept = false;
	struct dax_inode *f;

	EXPECT_OR(out, va, "no file");
	f = sync.inode = fx.inode[0];
	*at(va) = *at(PAGE(va, 1)) = 's';
	for (unsigned i = 0; i < 2; i++) {
		lock_order_nested("two entries of a file: the lower one first");
		entry[i] = entry_lock(f, i);
	}
	if (fx_start(&sync)) {
		for (unsigned i = 0; i < 10000 && !slept; i++) {
			thread_sleep_ns(100000);
			slept = sync.thread->waiting != NULL;
		}
		entry_unlock(f, 0, entry[0]);
		for (unsigned i = 0; i < 10000 && (entry_of(f, 0) & ENTRY_DIRTY); i++)
			thread_sleep_ns(100000);
		kept = entry_of(f, 1) & ENTRY_LOCKED;
		if (kept)
			entry_unlock(f, 1, entry[1]);
		fx_join(&sync);
	}
	EXPECT_OR(out, slept && kept && !sync.err, "slept %d, the second one locked %d, error %d",
		  slept, kept, sync.err);
	EXPECT_OR(out, !(entry_of(f, 1) & ENTRY_DIRTY), "the second one is dirty");
out:
	fixture_end(&fx);
}

SELFTEST(entry_fsync_waits, "dax.fsync-waits-for-layout",
	 "an fsync writes nothing back while somebody changes the file's blocks")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'w');
	struct fx_op sync = {.fn = op_fsync};
	bool slept = false, dirty = false;

	EXPECT_OR(out, va, "no file");
	sync.inode = fx.inode[0];
	*at(va) = 's';
	down_write(&sync.inode->fault_lock);
	if (fx_start(&sync)) {
		slept = falls_asleep(sync.thread);
		dirty = entry_of(sync.inode, 0) & ENTRY_DIRTY;
	}
	up_write(&sync.inode->fault_lock);
	fx_join(&sync);
	EXPECT_OR(out, slept && dirty && !sync.err, "slept %d, still dirty %d, error %d", slept,
		  dirty, sync.err);
	EXPECT_OR(out, !(entry_of(sync.inode, 0) & ENTRY_DIRTY), "it was not written back");
out:
	fixture_end(&fx);
}

SELFTEST(entry_attach_undone, "dax.attach-undone",
	 "a page that its file's design does not take is no file's again")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	uint64_t va = fx_map(&fx, "f", 1, 'u');
	static struct pgmap pgmap;
	struct mapping *mapping = NULL;
	struct page *p;
	int err = -ENOMEM, bound = -ENOMEM;

	EXPECT_OR(out, va, "no file");
	bound = fake_bound(&pgmap, 0, NULL, &p);
	if (!bound) {
		__atomic_store_n(&p->state, PAGE_BUSY, __ATOMIC_RELEASE); /* takes no reference */
		err = page_attach(p, fx.inode[0], 7);
		mapping = p->mapping;
		__atomic_store_n(&p->state, 0, __ATOMIC_RELEASE);
		memunmap_pages(&pgmap);
	}
	EXPECT_OR(out, !bound && err == -ENXIO, "bound: error %d, attached: %d", bound, err);
	EXPECT_OR(out, !mapping, "mapping %p", (void *)mapping);
out:
	fixture_end(&fx);
}

SELFTEST(entry_folio_kept, "lifetime.busy-extent.folio-out-of-reach",
	 "while one page of 2 MiB is held, no block of them is given away, and the put gives all")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t va = map_huge(&fx, "f", 1), first = 0;
	struct page *p = NULL;
	unsigned within = 0, after = 0;

	EXPECT_OR(out, va && level_at(va) == 2, "not mapped by 2 MiB");
	first = page_to_pfn(va_to_head(va));
	EXPECT_OR(out, get_user_pages_fast(PAGE(va, 300), 1, PIN, &p) == 1, "no pin");
	if (!dax_truncate(fx.inode[0], 0))
		for (unsigned i = 0; i < N; i++)
			within += !lifetime_busy_extent.idle_run(fx.fs, first + i, 1);
	unpin_user_pages(&p, 1);
	for (unsigned i = 0; i < N; i++)
		after += !lifetime_busy_extent.may_take(first + i, 1);
	EXPECT_OR(out, within == N && !after, "%u blocks out of reach, %u after the put", within,
		  after);
out:
	fixture_end(&fx);
}

SELFTEST(entry_run_to_held, "lifetime.busy-extent.run-ends-at-held",
	 "a run of free blocks ends before the first one that is held, wherever the look begins, "
	 "and at the end that was asked for once nobody holds any")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t va = fx_map(&fx, "f", 8, 'r'), first = 0;
	struct page *p = NULL;
	uint32_t before, behind, at_it, after;

	EXPECT_OR(out, va, "no file");
	for (unsigned i = 0; i < 8; i++)
		(void)*at(PAGE(va, i));
	first = page_to_pfn(fx_va_to_page(va));
	EXPECT_OR(out, page_to_pfn(fx_va_to_page(PAGE(va, 7))) == first + 7, "not side by side");
	EXPECT_OR(out, get_user_pages_fast(PAGE(va, 5), 1, PIN, &p) == 1, "no pin");
	EXPECT_OR(unpin, !dax_truncate(fx.inode[0], 0), "%s", refusal());
	before = lifetime_busy_extent.idle_run(fx.fs, first + 2, 6);
	at_it = lifetime_busy_extent.idle_run(fx.fs, first + 5, 3);
	behind = lifetime_busy_extent.idle_run(fx.fs, first + 6, 1000);
	EXPECT(before == 3 && !at_it && behind == 1000 &&
		       !lifetime_busy_extent.may_take(first, 6) &&
		       lifetime_busy_extent.may_take(first + 6, 1000),
	       "%u blocks before the held one, %u at it, %u behind it", before, at_it, behind);
unpin:
	unpin_user_pages(&p, 1);
	after = lifetime_busy_extent.idle_run(fx.fs, first, 8);
	EXPECT(after == 8 && lifetime_busy_extent.may_take(first, 8), "%u after the put", after);
out:
	fixture_end(&fx);
}
