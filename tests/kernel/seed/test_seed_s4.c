/* SPDX-License-Identifier: MIT */
/*
 * Seed tests, series s4, patches 1 to 11: "Fix the DAX-gup mistake" v2 (2022), the lifetime
 * zap-to-zero: an entry holds its page, zapping gives that back, whoever frees waits for zero.
 */
#include "tests/kernel/seed/seed.h"
#include "tests/kernel/race/race.h"

#define SECOND 1000000000ull

/* ---- 1 to 3: how to wait, and for what ---------------------------------------------------- */

/* The waker with half of the change: another address than the waiter's. */
static void wake_elsewhere(struct page *page)
{
	wake_up(&page->index);
}
static const struct pgmap_ops other_key = {.page_idle = wake_elsewhere};

/* Breaks it: a waiter and a waker that both use another key are found out by the second half; one
 * of them alone is what the first half does on purpose. */
SELFTEST(seed_s4_01, "seed.s4.01",
	 "waiter and waker meet at the page's own address: a waker with another key leaves the "
	 "truncate asleep over an idle page, which the check of I4 reports; the right one ends it")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	struct page *p = seed_pin(fx_map(&fx, "f", 1, 'a'));
	struct pgmap *pgmap = &fx.fs->region->pgmap;
	struct fx_op op = {.inode = fx.inode[0], .fn = fx_truncate};
	unsigned hung;
	bool slept, still, ended;

	EXPECT_OR(out, p && fx_start(&op), "no pinned page");
	slept = fx_asleep(&op, p);
	pgmap->ops = &other_key;
	unpin_user_pages(&p, 1);
	hung = check_i4_waiters();
	still = !fx_done(&op) && waiters_on(p) == 1 && !page_refs(p);
	pgmap->ops = &lifetime_zap_to_zero.pgmap_ops;
	pgmap->ops->page_idle(p);
	ended = fx_ends(&op);
	wake_up(p); /* for the way out */
	fx_join(&op);
	EXPECT_OR(out, slept && still && hung == 1, "slept %d, still %d, I4 reports %u", slept,
		  still, hung);
	EXPECT_OR(out, ended && !op.err && !check_i4_waiters(), "ended %d, error %d", ended,
		  op.err);
out:
	fixture_end(&fx);
}

/* Breaks it: a predicate with a number of its own in it in place of the design's rest count. */
SELFTEST(seed_s4_02, "seed.s4.02",
	 "one definition says what idle is: with rest count 1 and with rest count 0 the same punch "
	 "of the same held page waits, and the same put ends it")
{
	const struct lifetime *const designs[] = {&lifetime_idle_at_one, &lifetime_zap_to_zero,
						  &lifetime_counted_map};

	for (unsigned i = 0; i < ARRAY_SIZE(designs) && !t->failed && !t->skipped; i++) {
		seed_waits(t, designs[i], seed_punch_first, false);
		if (!t->failed && !t->skipped)
			seed_waits(t, designs[i], fx_truncate, false);
	}
	if (!t->failed && !t->skipped)
		EXPECT(scratch_device()->pgmap.rest == 0 && lifetime_idle_at_one.rest == 1,
		       "the designs rest alike");
}

/* Breaks it: a scan that asks whether the file is mapped, as idle-at-one's does. */
SELFTEST(
	seed_s4_03, "seed.s4.03",
	"a page that is pinned and not mapped any more is found by the scan: truncate waits, where "
	"idle-at-one frees it and another file gets the device's bytes (C-1)")
{
	struct race_result r;
	const char *why;

	if (scratch_choose_edus(1))
		SKIP("%s", refusal());
	if (!scratch_region(&why))
		SKIP("%s", why);
	EXPECT(seed_race("C-1", &lifetime_idle_at_one, &r) == RACE_BROKEN_I1, "idle-at-one: %s",
	       r.text);
	EXPECT(seed_race("C-1", &lifetime_zap_to_zero, &r) == RACE_SAFE, "zap-to-zero: %s", r.text);
	seed_waits(t, &lifetime_zap_to_zero, fx_truncate, true);
}

/* ---- 4, 5: eviction ----------------------------------------------------------------------- */

static int unlink_and_close(struct dax_inode *inode, uint64_t unused)
{
	int err = dax_unlink(SCRATCH_PATH "/f");

	(void)unused;
	dax_put(inode);
	return err;
}

/* Breaks it: an evict() whose wait a signal ends, and which goes on then. */
static void evict_keeps_block(struct selftest_run *t, const struct lifetime *lt)
{
	FIXTURE(fx, lt);
	struct page *p = seed_pin(fx_map(&fx, "f", 1, 'a'));
	struct fx_op op = {.inode = fx.inode[0], .fn = unlink_and_close};
	uint64_t before = fx_free_blocks(&fx), pfn, during;
	bool slept, still, owned;

	EXPECT_OR(out, p, "no pinned page");
	pfn = page_to_pfn(p);
	fx_unmap(&fx, fx.va[0]);
	fx.inode[0] = NULL; /* the operation's now */
	fx_start(&op);
	slept = fx_asleep(&op, p);
	thread_signal(op.thread);
	quiet_wait();
	still = !fx_done(&op);
	during = fx.fs->last_freed == pfn - (fx.fs->region->start >> PAGE_SHIFT);
	unpin_user_pages(&p, 1);
	fx_join(&op);
	owned = fx_free_blocks(&fx) <= before;
	EXPECT_OR(out, slept && still && !during, "%s: slept %d, through a signal %d, freed %lu",
		  lt->name, slept, still, during);
	EXPECT_OR(out, !op.err && !owned, "%s: error %d, the block did not come back: %d", lt->name,
		  op.err, owned);
out:
	fixture_end(&fx);
}

SELFTEST(seed_s4_04, "seed.s4.04",
	 "the last close of an unlinked file sleeps for the holder of its page; a signal does not "
	 "end that, and the block stays the file's until the put")
{
	evict_keeps_block(t, &lifetime_zap_to_zero);
}

static unsigned gone; /* leases that were told of their end */

static void lease_gone(struct lease *l)
{
	(void)l;
	gone++;
}
#define HOUR (3600ull * 1000 * 1000 * 1000)
static const struct lease_ops remote = {.what = "a remote holder", .gone = lease_gone};

/* Breaks it: an eviction that breaks leases with a wait: it would last lease_break_time, 45 s. */
SELFTEST(seed_s4_05, "seed.s4.05",
	 "eviction is final in both ways: under counted-map, too, no signal ends its wait for a "
	 "page, and it drops a layout lease without waiting for the remote holder")
{
	struct lease l = {.class = LEASE_LAYOUT, .ops = &remote};
	const uint64_t before = lease_break_time_ns;
	struct fx_op op = {.fn = unlink_and_close};
	bool waited;
	int set;

	evict_keeps_block(t, &lifetime_counted_map);
	if (t->failed || t->skipped)
		return;
	FIXTURE(fx, &lifetime_zap_to_zero);
	EXPECT_OR(out, fx_map(&fx, "f", 1, 'a'), "not mapped");
	gone = 0;
	set = lease_set(&fx.inode[0]->leases, &l, true);
	fx_unmap(&fx, fx.va[0]);
	lease_break_time_ns = HOUR; /* not over when all has come to rest */
	op.inode = fx.inode[0];
	EXPECT_OR(out, fx_start(&op), "no memory for a thread");
	quiet_wait();
	waited = !fx_done(&op);
	if (waited)
		clock_skip(HOUR);
	fx_join(&op);
	fx.inode[0] = NULL;
	EXPECT_OR(out, !set && !op.err && gone == 1 && !l.list, "set %d, error %d, told %u times",
		  set, op.err, gone);
	EXPECT_OR(out, !waited, "it waited for the remote holder");
out:
	lease_break_time_ns = before;
	fixture_end(&fx);
}

/* ---- 6 to 9: entries ---------------------------------------------------------------------- */

/* Breaks it: a zap that does not set ENTRY_ZAP, or does not look at it (the put would panic). */
SELFTEST(seed_s4_06, "seed.s4.06",
	 "the count goes 0, 1 with the entry, 2 with a pin, 1 by the zap, 1 by a second zap, 0 by "
	 "the put; a page that is mapped again after its zap holds nothing (D-1)")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	uint64_t va = fx_map(&fx, "f", 2, 'a');
	struct dax_inode *f = fx.inode[0];
	uint32_t rc[6] = {9, 9, 9, 9, 9, 9}, again;
	struct page *p;

	EXPECT_OR(out, va, "not mapped");
	*at(PAGE(va, 1)) = 'b'; /* makes the records of both */
	p = fx_va_to_page(PAGE(va, 1)) - 1;
	rc[0] = page_refs(p);
	*at(va) = 'b';
	EXPECT_OR(out, p == fx_va_to_page(va), "the file's blocks are no neighbours");
	rc[1] = page_refs(p);
	p = seed_pin(va);
	rc[2] = page_refs(p);
	down_write(&f->io_lock);
	down_write(&f->fault_lock);
	lifetime_zap_to_zero.scan(f, 0, 1);
	rc[3] = page_refs(p);
	lifetime_zap_to_zero.scan(f, 0, 1);
	rc[4] = page_refs(p);
	up_write(&f->fault_lock);
	up_write(&f->io_lock);
	unpin_user_pages(&p, 1);
	rc[5] = page_refs(p);
	(void)*at(va);
	again = page_refs(p);
	EXPECT_OR(out, rc[0] == 0 && rc[1] == 1 && rc[2] == 2, "%u, %u, %u", rc[0], rc[1], rc[2]);
	EXPECT_OR(out, rc[3] == 1 && rc[4] == 1 && rc[5] == 0, "zapped %u, again %u, put %u", rc[3],
		  rc[4], rc[5]);
	EXPECT_OR(out, !again && (seed_entry(f, 0) & ENTRY_ZAP), "mapped again: %u", again);
out:
	fixture_end(&fx);
}

/* One fault whose n-th allocation fails. False: it made fewer. */
static bool fault_with_failure(struct selftest_run *t, uint64_t n)
{
	struct fixture fx;
	uint64_t va, v, left;
	bool failed = false, locked;
	int err, then;

	if (scratch_forget_records() || fixture_start(&fx, &lifetime_zap_to_zero)) {
		selftest_fail(t, __FILE__, __LINE__, "mounted", "the scratch device");
		return false;
	}
	va = fx_map(&fx, "f", 1, 'a');
	alloc_fail_nth(n);
	err = load_checked((uint64_t *)va, &v);
	alloc_fail_count(&failed);
	alloc_fail_nth(0);
	left = seed_entry(fx.inode[0], 0);
	locked = left & ENTRY_LOCKED;
	then = load_checked((uint64_t *)va, &v);
	if (failed && (!err || locked || left || then))
		selftest_fail(t, __FILE__, __LINE__, "refused, and then served",
			      "allocation %lu: error %d, entry 0x%lx, then %d", n, err, left, then);
	fixture_end(&fx);
	return failed;
}

/* Breaks it: a fault path that leaves its entry locked: the second access would sleep for ever. */
SELFTEST(seed_s4_07, "seed.s4.07",
	 "if any allocation of a fault fails, the access is refused, the entry is empty and not "
	 "locked, and the next access is served")
{
	const char *why = "";
	uint64_t n = 1;

	if (!scratch_region(&why))
		SKIP("%s", why);
	while (n < 50 && fault_with_failure(t, n) && !t->failed)
		n++;
	if (!t->failed)
		EXPECT(n > 2 && n < 50, "%lu allocations failed", n - 1);
}

/* Breaks it: rounding up, or taking the faulting page's own number for the entry's. */
SELFTEST(seed_s4_08, "seed.s4.08",
	 "a fault in the middle of 2 MiB makes one entry at its first page, and the record says "
	 "that page's offset (D-2)")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	struct dax_inode *f = sparse("f", 2 * N);
	uint64_t va = f ? fx_map_as_is(&fx, f, 2 * N, true) : 0;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 2; i++) {
		uint64_t pgoff = i * N + 300, start = pgoff, entry;
		const struct page *head;

		*at(PAGE(va, pgoff)) = 'm';
		entry = entry_next(f, &start, pgoff + 1);
		head = va_to_head(PAGE(va, pgoff));
		EXPECT_OR(out, (entry & ENTRY_PMD) && start == i * N, "entry 0x%lx at page %lu",
			  entry, start);
		EXPECT_OR(out, head && head->index == i * N && head->mapping == &f->mapping,
			  "the record says page %lu", head ? head->index : 0);
	}
out:
	fixture_end(&fx);
}

/* Breaks it: LOCKED or EMPTY stored at the end of a fault, a load that marks the page dirty. */
SELFTEST(seed_s4_09, "seed.s4.09",
	 "an entry that a fault leaves behind is pfn and lasting flags: clean after a load, dirty "
	 "after a store, clean after fsync, untouched by a store to a private copy")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	uint64_t va = fx_map(&fx, "f", 1, 'a'), copy, loaded, copied, stored, synced;
	struct dax_inode *f = fx.inode[0];
	int err;

	EXPECT_OR(out, va, "not mapped");
	dax_get(f);
	copy = fx_map_private(&fx, f, 1);
	EXPECT_OR(out, copy, "not mapped privately");
	(void)*at(va);
	loaded = seed_entry(f, 0);
	*at(copy) = 'p';
	copied = seed_entry(f, 0);
	*at(va) = 's';
	stored = seed_entry(f, 0);
	err = dax_fsync(f);
	synced = seed_entry(f, 0);
	EXPECT_OR(out, !(loaded & (PAGE_SIZE - 1)) && copied == loaded,
		  "loaded 0x%lx, after a private store 0x%lx", loaded, copied);
	EXPECT_OR(out, stored == (loaded | ENTRY_DIRTY) && !err && synced == loaded,
		  "stored 0x%lx, fsync %d, then 0x%lx", stored, err, synced);
out:
	fixture_end(&fx);
}

/* ---- 10, 11 ------------------------------------------------------------------------------- */

/* References that the device has, beyond its owner's, while va is in use, and behind it. */
static const char *balance(struct fixture *fx, uint64_t va, int64_t want)
{
	struct percpu_ref *ref = &fx->fs->region->pgmap.ref;
	int64_t before = percpu_ref_sum(ref), during;

	if (!va)
		return "not mapped";
	*at(va) = 'b';
	*at(va + 64) = 'b'; /* a second access takes nothing */
	during = percpu_ref_sum(ref);
	fx_unmap(fx, va);
	if (dax_truncate(fx->inode[fx->nr - 1], 0))
		return "truncate";
	return during - before != want	       ? "another number while it has an entry"
	       : percpu_ref_sum(ref) != before ? "not back behind the deletion"
					       : NULL;
}

/* Breaks it: museum zap-ignores-dying; an insert that does not hold the device (C-4). */
SELFTEST(seed_s4_10, "seed.s4.10",
	 "an entry holds its device, by 4 KiB and by 2 MiB alike, a private copy does not; the "
	 "device's removal waits for a mapped page (C-4), and a dying one serves no fault (D-3)")
{
	struct race_result r;
	const char *small, *huge, *cow;
	struct dax_inode *h;
	uint64_t v, va;
	int refused;

	if (!scratch_region(&cow))
		SKIP("%s", cow);
	EXPECT(seed_race("C-4", &lifetime_zap_to_zero, &r) == RACE_SAFE, "zap-to-zero: %s", r.text);
	EXPECT(seed_race("C-4", &lifetime_idle_at_one, &r) == RACE_BROKEN_I2, "idle-at-one: %s",
	       r.text);
	FIXTURE(fx, &lifetime_zap_to_zero);
	small = balance(&fx, fx_map(&fx, "f", 1, 'a'), 1);
	h = sparse("h", N);
	huge = h ? balance(&fx, fx_map_as_is(&fx, h, N, true), 1) : "no file";
	h = scratch_file("c", 1, 'c');
	cow = h ? balance(&fx, fx_map_private(&fx, h, 1), 0) : "no file";
	EXPECT_OR(out, !small && !huge && !cow, "4 KiB: %s; 2 MiB: %s; a copy: %s", small ?: "ok",
		  huge ?: "ok", cow ?: "ok");
	va = fx_map(&fx, "g", 2, 'g');
	*at(PAGE(va, 1)) = 'b'; /* the records exist, else nobody asks */
	__atomic_store_n(&fx.fs->region->pgmap.ref.phase, REF_DYING, __ATOMIC_RELEASE);
	refused = load_checked((uint64_t *)va, &v);
	__atomic_store_n(&fx.fs->region->pgmap.ref.phase, REF_LIVE, __ATOMIC_RELEASE);
	EXPECT_OR(out, refused && !load_checked((uint64_t *)va, &v), "dying: %d", refused);
out:
	fixture_end(&fx);
}

/* Breaks it: a build without -Werror, or without the warnings; the Makefile hands its own in. */
SELFTEST(seed_s4_11, "seed.s4.11",
	 "this kernel was compiled with all warnings as errors: -Wall -Wextra -Werror")
{
	static const char *const wanted[] = {"-Wall", "-Wextra", "-Werror"};

	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
		EXPECT(strstr(BUILD_WARNINGS, wanted[i]), "%s is missing in \"%s\"", wanted[i],
		       BUILD_WARNINGS);
	EXPECT(!strstr(BUILD_WARNINGS, "-Wno"), "a warning is off: \"%s\"", BUILD_WARNINGS);
}
