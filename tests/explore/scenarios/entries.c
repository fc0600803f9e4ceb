/* SPDX-License-Identifier: MIT */
/*
 * Entries: one holder of an entry's lock, no waiter left behind, and a tree that is looked at under
 * its lock only.
 */
#include "tests/explore/scenarios/files.h"

static uint64_t inside; /* holders of entry 0; zero: none */

static int no_entry(void)
{
	return files_setup(2, 0);
}

static int both_entries(void)
{
	return files_setup(2, FILES_TOUCHED);
}

static int one_touched(void)
{
	return files_setup(1, FILES_TOUCHED);
}

static void lock_and_unlock(void)
{
	uint64_t value = entry_lock(files.f, 0);

	X_EXPECT("lock", value && !__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED),
		 "two hold the lock of one entry");
	__atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED);
	entry_unlock(files.f, 0, value);
}

/* As a fault does it: the entry stays, and its place is known. */
static void lock_and_unlock_at(void)
{
	uint64_t *slot, value = entry_lock_at(files.f, 0, false, &slot);

	X_EXPECT("lock", value && !__atomic_fetch_add(&inside, 1, __ATOMIC_RELAXED),
		 "two hold the lock of one entry");
	__atomic_fetch_sub(&inside, 1, __ATOMIC_RELAXED);
	entry_unlock_at(files.f, 0, slot, value);
}

static struct page *second; /* of F; its entry is the one that goes */

static int two_entries(void)
{
	int err = both_entries();

	second = err ? NULL : pfn_to_page(entry_to_pfn(index_load(&files.f->index, 1)));
	return err;
}

static void second_or_none(void)
{
	X_EXPECT("I6", second->mapping != &files.f->mapping || second->index == 1,
		 "page 1 of F says that it is page %lu of F", second->index);
}

/* From here on it is an event when somebody looks at, or changes, what the tree hangs on. */
static void watch_tree(void)
{
	(void)__atomic_load_n(&files.f->index.root, __ATOMIC_RELAXED);
	(void)__atomic_load_n(&files.f->index.height, __ATOMIC_RELAXED);
}

/* The tree gets a second level while others look. */
static void lock_far(void)
{
	uint64_t value;

	watch_tree();
	value = entry_lock(files.f, 100);

	X_EXPECT("lock", value, "no memory for an entry");
	entry_unlock(files.f, 100, value);
}

static void scan(void)
{
	struct entry_run run;
	uint64_t at = 0, n = 0;

	while (entries_next(files.f, &at, DAX_TO_END, &run))
		n += run.nr;
	x_observe(n);
}

/* The tree goes, node by node. */
static void cut(void)
{
	watch_tree();
	files_cut();
}

static void fsync_and_lock(void)
{
	files_fsync();
	lock_and_unlock();
}

static void punch_second(void)
{
	int err = dax_punch(files.f, PAGE_SIZE, PAGE_SIZE);

	X_EXPECT("I4", !err, "punch: error %d", err);
}

EXPLORE_SCENARIO(entry_two_lock, "entry.two-lock",
		 "of two that lock an entry the second one is woken", FILES, .setup = no_entry,
		 .thread = {{"first", lock_and_unlock}, {"second", lock_and_unlock}});
EXPLORE_SCENARIO(entry_three_lock, "entry.three-lock",
		 "of two that are woken for an entry one has it, and the other one waits again",
		 FILES, .setup = no_entry,
		 .thread = {{"first", lock_and_unlock},
			    {"second", lock_and_unlock},
			    {"third", lock_and_unlock}});
EXPLORE_SCENARIO(entry_unlock_grow, "entry.unlock-grow",
		 "an entry is unlocked where it stands, though the tree becomes higher meanwhile",
		 FILES, .setup = no_entry,
		 .thread = {{"unlock", lock_and_unlock}, {"grow", lock_far}});
EXPLORE_SCENARIO(entry_scan_delete, "entry.scan-delete",
		 "who looks for the next entry finds a tree that nobody is changing", FILES,
		 .setup = both_entries, .thread = {{"scan", scan}, {"punch", punch_second}});
EXPLORE_SCENARIO(entry_fsync_grow, "entry.fsync-grow",
		 "fsync unlocks what it locked, though the tree becomes higher meanwhile", FILES,
		 .setup = both_entries, .thread = {{"fsync", fsync_and_lock}, {"grow", lock_far}});
EXPLORE_SCENARIO(entry_scan_cut, "entry.scan-cut",
		 "who looks for the next entry meets no node that is gone", FILES,
		 .setup = both_entries, .thread = {{"scan", scan}, {"cut", cut}});
EXPLORE_SCENARIO(entry_observe_delete, "entry.observe-delete",
		 "a page that loses its entry never says that it is another page of the file (I6)",
		 .setup = two_entries, .teardown = files_teardown, .mm = files_mm,
		 .step = second_or_none, .thread = {{"punch", punch_second}, {"load", files_load}},
		 .interrupts = true, .lifetimes = true, .large = true);
EXPLORE_SCENARIO(entry_unlock_at, "entry.unlock-at",
		 "an unlock that knows the entry's place wakes who waits for it", FILES,
		 .setup = both_entries,
		 .thread = {{"first", lock_and_unlock_at}, {"second", lock_and_unlock_at}});
/* An entry that somebody has locked when a scan for who holds a page comes by: whoever handles an
 * error of the page does that, without the file's fault lock (C-2). */
static uint64_t locked_value;

static void hold_and_lock(void)
{
	files_hold();
	locked_value = entry_lock(files.f, 0);
	X_EXPECT("set-up", locked_value, "no entry of F's page");
}

static void unlock(void)
{
	entry_unlock(files.f, 0, locked_value);
}

/* What every change of a layout does first: holders are waited for, or it is refused. Where freed
 * blocks are marked (lifetime->freed) nobody is asked, and nobody need be found. */
static void scan_for_held(void)
{
	const struct lifetime *lt = files.fx.fs->lifetime;
	uint32_t refs;
	int err;

	down_write(&files.f->fault_lock);
	err = lt->break_layout(files.f, 0, 1, LAYOUT_SPACE);
	refs = page_refs(files.page);
	X_EXPECT("I5", err || lt->freed || refs <= lt->rest,
		 "the scan is over and found nobody; F's page has %u references, and rests at %u",
		 refs, lt->rest);
	up_write(&files.f->fault_lock);
	x_observe((uint64_t)-err);
}

EXPLORE_SCENARIO(entry_locked_scan, "entry.locked-scan",
		 "a scan for who holds a page finds him, though somebody has locked the entry",
		 FILES, .setup = one_touched, .start = hold_and_lock,
		 .thread = {{"unlock", unlock}, {"scan", scan_for_held}, {"put", files_put}});

/* zap-to-zero: an entry holds a reference of its page, until a hole anywhere in the file takes it
 * back (D-1). */
static void store_twice(void)
{
	files_store();
	files_store();
}

static void entry_holds_still(void)
{
	const uint64_t *pte = pte_leaf(files.mm->root, files.va);
	const uint32_t refs = page_refs(files.page);

	X_EXPECT("I5", !files.fx.fs->lifetime->entry_holds || !pte || !(*pte & PTE_P) || refs,
		 "page 0 of F has its entry, is mapped, and counts %u: a pin would be born from "
		 "zero",
		 refs);
}

EXPLORE_SCENARIO(entry_zapped_elsewhere, "entry.zapped-elsewhere",
		 "a page that is mapped again after a hole elsewhere in its file counts as in use",
		 .setup = both_entries, .teardown = files_teardown, .mm = files_mm,
		 .end = entry_holds_still,
		 .thread = {{"punch", punch_second}, {"store", store_twice}}, .interrupts = true,
		 .lifetimes = true, .large = true);
