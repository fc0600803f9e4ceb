/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: the historic lifetimes lease-poll, zap-to-zero and counted-map, step by step: what an
 * entry, a mapping and a pin count, who waits and who is woken.
 */
#include "tests/kernel/lib/huge.h"

#define SECOND 1000000000ull

static struct page *pin_at(uint64_t va)
{
	struct page *p = NULL;

	return va && get_user_pages_fast(va, 1, PIN, &p) == 1 ? p : NULL;
}

/* Maps "f" with one page, touches and pins it. NULL: a step failed. */
static struct page *pinned_page(struct fixture *fx)
{
	return pin_at(fx_map(fx, "f", 1, 'a'));
}

static int punch_first(struct dax_inode *inode, uint64_t unused)
{
	(void)unused;
	return dax_punch(inode, 0, PAGE_SIZE);
}

/* Waits until the operation is over, or not after many looks: then it is signalled. */
static bool over_in_time(struct fx_op *op)
{
	bool over = fx_ends(op);

	if (!over)
		thread_signal(op->thread);
	fx_join(op);
	return over;
}

/* An operation that must sleep for the held page, and be woken by its last put. */
static void waits_for_put(struct selftest_run *t, const struct lifetime *lt,
			  int (*fn)(struct dax_inode *, uint64_t), bool unmapped)
{
	FIXTURE(fx, lt);
	struct page *p = pinned_page(&fx);
	struct fx_op op = {.inode = fx.inode[0], .fn = fn};
	bool slept, in_time;

	if (unmapped)
		fx_unmap(&fx, fx.va[0]);
	EXPECT_OR(out, p && fx_start(&op), "%s: no pinned page", lt->name);
	slept = fx_asleep(&op, p);
	unpin_user_pages(&p, 1);
	in_time = over_in_time(&op);
	EXPECT_OR(out, slept && in_time && !op.err, "%s: slept %d, woken %d, error %d", lt->name,
		  slept, in_time, op.err);
	EXPECT_OR(out, !fx.inode[0]->collisions && !check_i6_association(), "%s: %u collision(s)",
		  lt->name, fx.inode[0]->collisions);
out:
	fixture_end(&fx);
}

static int unlink_and_close(struct dax_inode *inode, uint64_t unused)
{
	int err = dax_unlink(SCRATCH_PATH "/f");

	(void)unused;
	dax_put(inode);
	return err;
}

/* The last close of an unlinked file whose page is held. */
static void evict_waits(struct selftest_run *t, const struct lifetime *lt)
{
	FIXTURE(fx, lt);
	struct page *p = pinned_page(&fx);
	struct fx_op op = {.inode = fx.inode[0], .fn = unlink_and_close};
	bool slept, stays, named;

	EXPECT_OR(out, p, "no pinned page");
	fx_unmap(&fx, fx.va[0]);
	fx.inode[0] = NULL; /* the operation's now */
	fx_start(&op);
	slept = fx_asleep(&op, p);
	named = slept && op.inode->last_break.busy_seen == 1 &&
		op.inode->last_break.busy_pfn == page_to_pfn(p);
	thread_signal(op.thread); /* no signal ends this wait */
	quiet_wait();
	stays = !fx_done(&op);
	unpin_user_pages(&p, 1);
	fx_join(&op);
	EXPECT_OR(out, named, "%s: the page it waits for is not the one that is held", lt->name);
	EXPECT_OR(out, slept && stays && !op.err, "%s: slept %d, through a signal %d, error %d",
		  lt->name, slept, stays, op.err);
out:
	fixture_end(&fx);
}

/* ---- zap-to-zero -------------------------------------------------------------------------- */

SELFTEST(zap_counts, "lifetime.zap-to-zero.counts",
	 "an entry holds one reference, whatever maps it; zapping gives it back once, a second zap "
	 "takes nothing")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	struct page *p = pinned_page(&fx);
	uint32_t pinned, twice;
	int first, second;
	struct fx_op op = {.inode = fx.inode[0], .fn = punch_first};

	EXPECT_OR(out, p, "no pinned page");
	pinned = page_refs(p);
	fx_start(&op);
	fx_asleep(&op, p);
	thread_signal(op.thread); /* the zap stays, the punch does not happen */
	fx_join(&op);
	first = op.err;
	fx_start(&op);
	fx_asleep(&op, p);
	twice = page_refs(p);
	unpin_user_pages(&p, 1);
	second = over_in_time(&op) ? op.err : -ETIMEDOUT;
	EXPECT_OR(out, pinned == 2 && twice == 1, "pinned %u, zapped twice %u", pinned, twice);
	EXPECT_OR(out, first == -EINTR && !second && !page_state(p), "%d, %d, state 0x%lx", first,
		  second, page_state(p));
out:
	fixture_end(&fx);
}

SELFTEST(zap_device, "lifetime.zap-to-zero.holds-device",
	 "from the first touch to the deletion of the entry the page holds its device")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	struct percpu_ref *ref = &scratch_device()->pgmap.ref;
	int64_t before = percpu_ref_sum(ref), mapped, after;
	uint64_t va = fx_map(&fx, "f", 1, 'a');

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = 'b';
	fx_unmap(&fx, va);
	mapped = percpu_ref_sum(ref);
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 0), "%s", refusal());
	after = percpu_ref_sum(ref);
	EXPECT_OR(out, mapped == before + 1 && after == before, "%ld, then %ld, at last %ld",
		  (long)before, (long)mapped, (long)after);
out:
	fixture_end(&fx);
}

SELFTEST(zap_waits, "lifetime.zap-to-zero.put-wakes",
	 "punch and truncate of a held page sleep until its count falls from 1 to 0, mapped or not "
	 "(C-1)")
{
	waits_for_put(t, &lifetime_zap_to_zero, punch_first, false);
	waits_for_put(t, &lifetime_zap_to_zero, fx_truncate, false);
	waits_for_put(t, &lifetime_zap_to_zero, punch_first, true);
}

SELFTEST(zap_evict, "lifetime.zap-to-zero.evict-waits",
	 "eviction waits for the holder, no signal ends it")
{
	evict_waits(t, &lifetime_zap_to_zero);
}

SELFTEST(zap_dying, "lifetime.zap-to-zero.dying-is-refused",
	 "an entry of a device that is going is not made: the access fails (D-3)")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	struct pgmap *pgmap = &scratch_device()->pgmap;
	uint64_t va = fx_map(&fx, "f", 2, 'a'), byte;
	int refused, then;

	EXPECT_OR(out, va, "not mapped");
	*at(PAGE(va, 1)) = 'b'; /* the records exist, else nobody asks the lifetime */
	__atomic_store_n(&pgmap->ref.phase, REF_DYING, __ATOMIC_RELEASE);
	refused = load_checked((uint64_t *)va, &byte);
	__atomic_store_n(&pgmap->ref.phase, REF_LIVE, __ATOMIC_RELEASE);
	then = load_checked((uint64_t *)va, &byte);
	EXPECT_OR(out, refused && !then, "dying %d, alive again %d", refused, then);
	EXPECT_OR(out, page_refs(fx_va_to_page(va)) == 1, "%u references",
		  page_refs(fx_va_to_page(va)));
out:
	fixture_end(&fx);
}

SELFTEST(zap_dying_large, "lifetime.zap-to-zero.dying-is-refused-large",
	 "nor is one of 2 MiB, for that reason: the access fails, and nothing of it is left")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	struct pgmap *pgmap = &scratch_device()->pgmap;
	struct dax_inode *f = sparse("f", N);
	uint64_t va = f ? fx_map_as_is(&fx, f, N, true) : 0, said = huge_count(HUGE_DYING);
	struct dax_run run;
	struct page *head;
	int refused;

	EXPECT_OR(out, va && !f->ops->map_run(f, 0, N, true, &run), "%s", refusal());
	head = pfn_to_page(run.pfn); /* it has a record: else nobody asks the lifetime */
	EXPECT_OR(out, run.count == N && !page_records_populate(run.pfn, 1), "no 2 MiB");
	__atomic_store_n(&pgmap->ref.phase, REF_DYING, __ATOMIC_RELEASE);
	refused = store_checked((uint64_t *)va, 1);
	__atomic_store_n(&pgmap->ref.phase, REF_LIVE, __ATOMIC_RELEASE);
	EXPECT_OR(out, refused, "a store to a device that is going made an entry");
	EXPECT_OR(out, huge_count(HUGE_DYING) == said + 1, "%lu faults say that it is going",
		  huge_count(HUGE_DYING) - said);
	EXPECT_OR(out, !page_state(head) && !head->mapping && !check_all(),
		  "the head has state 0x%lx, and %s file, or an invariant is violated",
		  page_state(head), head->mapping ? "a" : "no");
	EXPECT_OR(out, !store_checked((uint64_t *)va, 1) && level_at(va) == 2, "alive again");
out:
	fixture_end(&fx);
}

SELFTEST(zap_link, "lifetime.zap-to-zero.link-survives",
	 "a zapped page that became idle still names its file, as long as its entry is there (D-9)")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	uint64_t va = fx_map(&fx, "f", 2, 'a');
	struct page *p, *q;
	struct fx_op op = {.inode = fx.inode[0], .fn = punch_first};
	struct mapping *link;

	EXPECT_OR(out, va && (p = pin_at(va)) && (q = pin_at(PAGE(va, 1))), "no pinned pages");
	fx_start(&op);
	fx_asleep(&op, p);
	unpin_user_pages(&q, 1); /* its entry was zapped with the whole file, and stays */
	link = q->mapping;
	q->mapping = &fx.inode[0]->mapping; /* for the way out, if it is gone */
	unpin_user_pages(&p, 1);
	over_in_time(&op);
	EXPECT_OR(out, !page_refs(q) && link, "%u references, link %p", page_refs(q), (void *)link);
out:
	fixture_end(&fx);
}

/* ---- counted-map -------------------------------------------------------------------------- */

SELFTEST(counted_counts, "lifetime.counted-map.counts",
	 "each page-table entry counts as a mapping and the entry as nothing; a pin is a reference")
{
	FIXTURE(fx, &lifetime_counted_map);
	struct page *p = pinned_page(&fx);
	uint64_t other = p ? map_again(&fx, 0, 1, 0) : 0;
	uint32_t refs, maps;

	EXPECT_OR(out, other, "no pinned page, or no second mapping");
	at(other)[0] = 'c';
	refs = page_refs(p);
	maps = page_maps(p);
	unmap(other, 1);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, refs == 1 && maps == 2 && page_maps(p) == 1 && !page_refs(p),
		  "%u references, %u mappings, then %u, %u", refs, maps, page_refs(p),
		  page_maps(p));
out:
	fixture_end(&fx);
}

SELFTEST(counted_waits, "lifetime.counted-map.put-wakes",
	 "punch and truncate of a held page sleep until its last use goes, mapped or not (C-1)")
{
	waits_for_put(t, &lifetime_counted_map, punch_first, false);
	waits_for_put(t, &lifetime_counted_map, punch_first, true);
}

SELFTEST(counted_whole, "lifetime.counted-map.whole-file",
	 "a break 'to the end of the file' looks at the whole file (E-4)")
{
	waits_for_put(t, &lifetime_counted_map, fx_truncate, false);
}

static int truncate_behind(struct dax_inode *inode, uint64_t unused)
{
	(void)unused;
	return dax_truncate(inode, inode->size + PAGE_SIZE) ?: dax_truncate(inode, inode->size - 1);
}

SELFTEST(old_whole, "lifetime.held-before-the-end",
	 "idle-at-one and zap-to-zero ask the whole file: a page held before the new end delays "
	 "truncate")
{
	waits_for_put(t, &lifetime_idle_at_one, truncate_behind, false);
	waits_for_put(t, &lifetime_zap_to_zero, truncate_behind, false);
}

SELFTEST(counted_evict, "lifetime.counted-map.evict-waits",
	 "eviction waits for the holder under counted-map, too, and no signal ends it")
{
	evict_waits(t, &lifetime_counted_map);
}

SELFTEST(refuse_evict, "lifetime.refuse-busy.evict-waits",
	 "eviction has nobody to refuse to: it waits for the holder, and no signal ends it")
{
	evict_waits(t, &lifetime_refuse_busy);
}

/* Locks the entry of page 0, lets a punch find it locked, and lets it go. */
static void punch_of_locked(struct selftest_run *t, const struct lifetime *lt, bool waits)
{
	FIXTURE(fx, lt);
	uint64_t va = fx_map(&fx, "f", 1, 'a'), entry;
	struct dax_inode *f = fx.inode[0];
	struct page *found = NULL, *p;

	EXPECT_OR(out, va && (p = pin_at(va)), "no pinned page");
	down_write(&f->fault_lock); /* before the entry, as in a fault */
	entry = entry_lock(f, 0);
	if (!waits) /* C-2: the scan passes over it, and finds the file idle */
		found = lt->scan(f, 0, 1);
	entry_unlock(f, 0, entry);
	if (waits)
		found = lt->scan(f, 0, 1);
	up_write(&f->fault_lock);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !found == !waits, "%s: the scan found %p", lt->name, (void *)found);
out:
	fixture_end(&fx);
}

SELFTEST(locked_entry, "lifetime.locked-entry",
	 "a locked entry is passed over by idle-at-one and zap-to-zero (C-2); unlocked, its held "
	 "page is found by both and by counted-map")
{
	punch_of_locked(t, &lifetime_idle_at_one, false);
	punch_of_locked(t, &lifetime_zap_to_zero, false);
	punch_of_locked(t, &lifetime_idle_at_one, true);
	punch_of_locked(t, &lifetime_zap_to_zero, true);
	punch_of_locked(t, &lifetime_counted_map, true);
}

static int scan_in_thread(struct dax_inode *inode, uint64_t unused)
{
	struct page *found;

	(void)unused;
	down_write(&inode->fault_lock);
	found = lifetime_counted_map.scan(inode, 0, 1);
	up_write(&inode->fault_lock);
	return found ? 1 : 0;
}

SELFTEST(counted_locked, "lifetime.counted-map.waits-for-locked",
	 "the scan waits for a locked entry where it stands, and then looks at its page (C-2)")
{
	FIXTURE(fx, &lifetime_counted_map);
	struct page *p = pinned_page(&fx);
	struct fx_op op = {.inode = fx.inode[0], .fn = scan_in_thread};
	uint64_t entry;
	bool early;

	EXPECT_OR(out, p, "no pinned page");
	entry = entry_lock(fx.inode[0], 0);
	fx_start(&op);
	quiet_wait();
	early = fx_done(&op);
	entry_unlock(fx.inode[0], 0, entry);
	fx_join(&op);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !early && op.err == 1, "back early %d, found %d", early, op.err);
out:
	fixture_end(&fx);
}

SELFTEST(counted_entries, "lifetime.counted-map.break-removes-entries",
	 "breaking a layout removes the entries of its range itself")
{
	FIXTURE(fx, &lifetime_counted_map);
	uint64_t va = fx_map(&fx, "f", 4, 'a');
	struct dax_inode *f = fx.inode[0];
	unsigned long before, after;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 4; i++)
		*at(PAGE(va, i)) = 'b';
	before = f->index.nr;
	down_write(&f->io_lock);
	down_write(&f->fault_lock);
	lifetime_counted_map.break_layout(f, 1, 3, LAYOUT_SPACE);
	after = f->index.nr;
	up_write(&f->fault_lock);
	up_write(&f->io_lock);
	EXPECT_OR(out, before == 4 && after == 2, "%lu entries, then %lu", before, after);
	EXPECT_OR(out, *at(PAGE(va, 1)) == 'b' && f->index.nr == 3, "the page does not come back");
out:
	fixture_end(&fx);
}
