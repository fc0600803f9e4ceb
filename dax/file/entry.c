/* SPDX-License-Identifier: MIT */
/*
 * Entries: one word per page of a file that was ever mapped, with a lock bit of its own.
 *
 * The lock bit lives in the word, the sleeping in the hashed wait queues, so a million entries need
 * no million locks. The tree lock is held for the moment of a change only. The link page → file
 * (I6) is made by the holder of the entry's lock before the entry names the page, and goes with the
 * entry under the tree lock: while an entry is neither locked nor EMPTY both directions agree.
 */
#include "dax/file/internal.h"

MUSEUM(break_narrow, "break-narrow",
       "deleting a part of a 2 MiB entry unmaps only that part (E-5); shown by selftest "
       "huge.punch-unmaps-neighbours and race E-5 lifetime=counted-map (BROKEN I3)");
MUSEUM(zap_shared, "zap-shared",
       "D-4: zap-to-zero gives back a reference of shared entries, which never took one; "
       "shown by selftest tinyfs.zap-spares-shared and race D-4 lifetime=zap-to-zero (BROKEN I5)");
MUSEUM(keep_order, "keep-order",
       "a deleted 2 MiB entry leaves its first record counting for 512 pages (E-6); "
       "shown by selftest huge.deleted-is-split and race E-6 (BROKEN I6)");
MUSEUM(woken_trusts, "woken-trusts",
       "who was woken for an entry takes it without looking whether it is free: another may have "
       "been faster; found by explore entry.three-lock");
MUSEUM(scan_passes_locked, "scan-passes-locked",
       "C-2, R13: a scan that waits for a locked entry goes on behind it; shown by selftest "
       "lifetime.counted-map.waits-for-locked");
MUSEUM_EXPLORED(entry_silent, "entry-unlock-silent",
		"an entry's unlock wakes nobody; found by explore entry.two-lock");
MUSEUM_EXPLORED(entry_unfenced, "entry-unlock-unfenced",
		"the look for waiters comes while the cleared lock bit is still in the store "
		"buffer; found by explore entry.unlock-at model=tso");
MUSEUM_EXPLORED(
	unlock_looks_early, "unlock-looks-early",
	"the slot of an entry is looked for before the tree lock is held, while another CPU "
	"makes the tree higher; found by explore entry.unlock-grow");
MUSEUM_EXPLORED(next_unlocked, "next-unlocked",
		"the next entry is looked for when the tree lock is free again; found by explore "
		"entry.scan-cut");
MUSEUM_EXPLORED(
	run_looks_early, "run-looks-early",
	"the slots of a run that fsync unlocks are looked for before the tree lock is held; "
	"found by explore entry.fsync-grow");
MUSEUM_EXPLORED(link_backwards, "link-cleared-backwards",
		"a page forgets its offset before its file: an observer sees page 0 of the file; "
		"found by explore entry.observe-delete");
MUSEUM_EXPLORED(link_late, "link-offset-late",
		"a page forgets its offset behind its file, when it may be another file's already; "
		"found by explore entry.one-block-let-go");
STEP_POINT_DECLARE(entry_seen); /* locked or not, and the tree lock is held */

/* After the lock bit went. Nearly always nobody waits. */
static inline void wake_entry_waiters(const void *key)
{
	smp_mb(); /* the bit before the look, else a waiter that saw it set is missed */
	if (unlikely(wait_maybe(key)) && !museum_explored(entry_silent))
		wake_up(key);
}

/* The slot of the 2 MiB entry around pgoff, and the entry; NULL: none. tree_lock held. */
static uint64_t *__attribute__((noinline))
huge_slot(struct dax_inode *inode, uint64_t pgoff, uint64_t *value)
{
	uint64_t *slot = index_slot_value(&inode->index, ALIGN_DOWN(pgoff, FOLIO_PAGES), value);

	return slot && (*value & ENTRY_PMD) ? slot : NULL;
}

/* The slot of *pgoff, which becomes the first page of its entry, and the entry. tree_lock held. */
static inline uint64_t *find_slot(struct dax_inode *inode, uint64_t *pgoff, uint64_t *value)
{
	uint64_t first = ALIGN_DOWN(*pgoff, FOLIO_PAGES), huge, *slot;

	if (unlikely(inode->nr_huge) && first != *pgoff &&
	    (slot = huge_slot(inode, first, &huge))) {
		*pgoff = first;
		*value = huge;
		return slot;
	}
	return index_slot_value(&inode->index, *pgoff, value);
}

/* The place of a locked EMPTY entry, of 2 MiB if all are free; NULL: no memory. tree_lock held. */
static uint64_t *__attribute__((noinline))
make_empty(struct dax_inode *inode, uint64_t pgoff, bool huge)
{
	const uint64_t first = ALIGN_DOWN(pgoff, FOLIO_PAGES), value = ENTRY_EMPTY | ENTRY_LOCKED;
	bool taken = true; /* by an entry of a single page */
	uint64_t *slot = NULL;

	_Static_assert(ENTRY_PMD == INDEX_LARGE && FOLIO_PAGES == INDEX_LARGE_PAGES,
		       "the index knows entries of 2 MiB by their flag");
	if (huge)
		slot = index_add_large(&inode->index, first, value | ENTRY_PMD, &taken);
	inode->nr_huge += slot != NULL;
	return taken ? index_add(&inode->index, pgoff, value) : slot;
}

/* True: it is ours, or there was no memory for it (*value 0). */
static inline __attribute__((always_inline)) bool
try_lock(struct dax_inode *inode, uint64_t pgoff, bool huge, uint64_t **slot, uint64_t *value)
{
	bool done = true;
	uint64_t seen;

	spin_lock(&inode->tree_lock);
	*slot = find_slot(inode, &pgoff, &seen);
	if (!*slot) {
		*slot = make_empty(inode, pgoff, huge);
		*value = *slot ? **slot & ~ENTRY_LOCKED : 0;
	} else {
		/* After its unlock (release), which takes no tree lock, we see what it did. */
		*value = seen;
		done = !(seen & ENTRY_LOCKED);
		STEP_POINT(entry_seen);
		/* A locked one is its holder's to write, an unlocked one the tree lock's. */
		if (done)
			__atomic_store_n(*slot, seen | ENTRY_LOCKED, __ATOMIC_RELAXED);
	}
	spin_unlock(&inode->tree_lock);
	return done;
}

static uint64_t __attribute__((noinline))
lock_entry_slowly(struct dax_inode *inode, uint64_t pgoff, bool huge, uint64_t **slot)
{
	unsigned looks = 0;
	uint64_t value;

	if (!try_lock(inode, pgoff, huge, slot, &value))
		wait_event(entry_wait_key(inode, pgoff),
			   try_lock(inode, pgoff, huge, slot, &value) ||
				   (museum_on(woken_trusts) && looks++),
			   "a locked index entry", "entry_unlock() of the fault that holds it");
	return value & ~ENTRY_LOCKED;
}

uint64_t entry_lock_at(struct dax_inode *inode, uint64_t pgoff, bool huge, uint64_t **slot)
{
	uint64_t value;

	lock_order_take(entry_wait_key(inode, pgoff), "index entry", LOCK_BIT, false);
	if (unlikely(!try_lock(inode, pgoff, huge, slot, &value)))
		value = lock_entry_slowly(inode, pgoff, huge, slot);
	if (DEBUG_BUILD && !value)
		lock_order_drop(entry_wait_key(inode, pgoff), LOCK_BIT); /* there was no memory */
	return value;
}

uint64_t entry_lock(struct dax_inode *inode, uint64_t pgoff)
{
	uint64_t *slot;

	return entry_lock_at(inode, pgoff, false, &slot);
}

/* tree_lock held. */
static void remove_slot(struct dax_inode *inode, uint64_t *slot, uint64_t pgoff)
{
	if (*slot & ENTRY_PMD) {
		inode->nr_huge--;
		index_remove_large(&inode->index, slot, pgoff);
	} else {
		index_remove(&inode->index, slot, pgoff, 1);
	}
}

void entry_unlock(struct dax_inode *inode, uint64_t pgoff, uint64_t value)
{
	uint64_t *slot, now;

	lock_order_drop(entry_wait_key(inode, pgoff), LOCK_BIT);
	if (museum_explored(unlock_looks_early))
		slot = find_slot(inode, &pgoff, &now);
	spin_lock(&inode->tree_lock);
	if (!museum_explored(unlock_looks_early))
		slot = find_slot(inode, &pgoff, &now);
	ASSERT(slot && (*slot & ENTRY_LOCKED), "entry %lu of %s is unlocked, and nobody holds it",
	       pgoff, inode->name);
	if (!value || (value & ENTRY_EMPTY))
		remove_slot(inode, slot, pgoff);
	else
		*slot = value & ~ENTRY_LOCKED;
	spin_unlock(&inode->tree_lock);
	wake_entry_waiters(entry_wait_key(inode, pgoff));
}

uint64_t entry_shrink(struct dax_inode *inode, uint64_t pgoff, uint64_t **slot)
{
	uint64_t first = pgoff, value;

	spin_lock(&inode->tree_lock);
	*slot = find_slot(inode, &first, &value);
	ASSERT(*slot && (**slot & ENTRY_PMD) && (**slot & ENTRY_LOCKED) && (**slot & ENTRY_EMPTY),
	       "entry %lu of %s must be locked, empty and of 2 MiB", pgoff, inode->name);
	remove_slot(inode, *slot, first);
	*slot = make_empty(inode, pgoff, false);
	value = *slot ? ENTRY_EMPTY : 0;
	spin_unlock(&inode->tree_lock);
	wake_up(entry_wait_key(inode, pgoff)); /* those who wait for another page of the 2 MiB */
	return value;
}

/* The next entry with a page in [*pgoff, last). tree_lock held. */
static uint64_t *next_slot(struct dax_inode *inode, uint64_t *pgoff, uint64_t last)
{
	uint64_t *slot, value;

	if (unlikely(inode->nr_huge) && *pgoff < last &&
	    (slot = huge_slot(inode, *pgoff, &value))) {
		*pgoff = ALIGN_DOWN(*pgoff, FOLIO_PAGES);
		return slot;
	}
	return index_next_slot(&inode->index, pgoff, last);
}

uint64_t entry_next(struct dax_inode *inode, uint64_t *pgoff, uint64_t last)
{
	uint64_t value, *slot;

	spin_lock(&inode->tree_lock);
	slot = next_slot(inode, pgoff, last);
	value = slot ? *slot : 0;
	spin_unlock(&inode->tree_lock);
	return value;
}

/* What the lifetime does beside the link, which goes again if that fails: it was made just now, and
 * the entry is ours. The offset stays: without the file it says nothing, and another file may have
 * the page as soon as ours has let it go (page_attach()). */
static int __attribute__((noinline))
attach_by(const struct lifetime *lt, struct page *page, struct dax_inode *inode, uint64_t pgoff)
{
	int err = lt->attach(inode, pgoff, page);

	if (unlikely(err) && lt->associates) {
		__atomic_store_n(&page->mapping, NULL, __ATOMIC_RELEASE);
		if (museum_explored(link_late))
			page->index = 0;
	}
	return err;
}

int page_attach(struct page *page, struct dax_inode *inode, uint64_t pgoff)
{
	const struct lifetime *lt = inode->fs->lifetime;
	struct mapping *none = NULL;

	if (likely(lt->associates)) {
		/* An image may give a block to two files, whose faults hold no lock in common: one
		 * read-modify-write decides. */
		if (unlikely(!__atomic_compare_exchange_n(&page->mapping, &none, &inode->mapping,
							  false, __ATOMIC_ACQ_REL,
							  __ATOMIC_ACQUIRE)))
			return -EIO;
		page->index = pgoff;
	}
	return likely(!lt->attach) ? 0 : attach_by(lt, page, inode, pgoff);
}

void page_disassociate(struct page *first, unsigned nr, struct dax_inode *inode, uint64_t pgoff)
{
	assert_spin_held(&inode->tree_lock);
	for (struct page *page = first, *end = first + nr; page < end; page++, pgoff++) {
		INTENDED_RACE("it is ours: who would take it for another file tries in vain");
		ASSERT(page->mapping == &inode->mapping && page->index == pgoff,
		       "pfn 0x%lx must belong to page %lu of %s when that entry goes (I6)",
		       page_to_pfn(page), pgoff, inode->name);
		if (museum_explored(link_backwards)) {
			__atomic_store_n(&page->index, 0, __ATOMIC_RELEASE);
			__atomic_store_n(&page->mapping, NULL, __ATOMIC_RELEASE);
		}
		__atomic_store_n(&page->mapping, NULL, __ATOMIC_RELEASE); /* then another's */
		if (museum_explored(link_late))
			page->index = 0;
	}
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* How many of the values from `slot` on, `most` at least one, are those of pages side by side in
 * memory, with flags that differ in `differ` at most. `value`: the first one, as it was read: a
 * locked one may be unlocked meanwhile. */
static inline unsigned count_alike(const uint64_t *slot, uint64_t value, uint64_t most,
				   uint64_t differ)
{
	const uint64_t *at = slot + 1, *end = slot + most;
	uint64_t expected = (value & ~differ) + PAGE_SIZE;

	for (; at < end && (*at & ~differ) == expected; at++)
		expected += PAGE_SIZE;
	return at - slot;
}

/*
 * The next run of [*at, last), of entries that differ in flags of `differ` at most; where it stands
 * in the index, or NULL. *at goes behind it. tree_lock held.
 */
static inline uint64_t *find_run(struct dax_inode *inode, uint64_t *at, uint64_t last,
				 uint64_t differ, struct entry_run *run)
{
	uint64_t *slot = next_slot(inode, at, last), most;

	*run = (struct entry_run){.pgoff = *at};
	if (!slot)
		return NULL;
	run->entry = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	most = run->entry & ENTRY_PMD ? 1 : MIN(index_left(*at), last - *at);
	run->nr = count_alike(slot, run->entry, most, differ);
	*at += run_pages(run);
	return slot;
}

bool entries_next(struct dax_inode *inode, uint64_t *at, uint64_t last, struct entry_run *run)
{
	spin_lock(&inode->tree_lock);
	if (!museum_explored(next_unlocked))
		find_run(inode, at, last, ENTRY_DIRTY, run);
	spin_unlock(&inode->tree_lock);
	if (museum_explored(next_unlocked))
		find_run(inode, at, last, ENTRY_DIRTY, run);
	return run->nr;
}

struct page *entries_find_held(struct dax_inode *inode, uint64_t first, uint64_t last,
			       uint64_t skip)
{
	struct page *page = NULL;
	struct entry_run run;

	while (!page && entries_next(inode, &first, last, &run))
		if (!(run.entry & (skip | ENTRY_EMPTY | ENTRY_ZERO)))
			page = page_find_held(run_to_page(&run), run.nr, inode->fs->lifetime->rest);
	return page;
}

bool entries_mark(struct dax_inode *inode, uint64_t *at, uint64_t last, uint64_t flag,
		  struct entry_run *run)
{
	/* A shared entry holds nothing that could be given back. */
	const uint64_t skip = flag | ENTRY_LOCKED | ENTRY_EMPTY | ENTRY_ZERO |
			      (museum_on(zap_shared) ? 0 : ENTRY_SHARED);

	do {
		uint64_t *slot;

		spin_lock(&inode->tree_lock);
		slot = find_run(inode, at, last, ENTRY_DIRTY, run);
		for (unsigned i = 0; i < run->nr && !(run->entry & skip); i++)
			slot[i] |= flag;
		spin_unlock(&inode->tree_lock);
	} while (run->nr && (run->entry & skip));
	return run->nr;
}

void entries_wait_unlocked(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	struct entry_run run;
	uint64_t value;

	while (entries_next(inode, &first, last, &run)) {
		if (!(run.entry & ENTRY_LOCKED) || museum_on(scan_passes_locked))
			continue;
		/* Its turn comes when the holder lets go; the scan stays where it is (C-2). */
		value = entry_lock(inode, run.pgoff);
		if (value) /* 0: it has gone, and there is no memory to make it again */
			entry_unlock(inode, run.pgoff, value);
		first = run.pgoff + entry_pages(run.entry);
	}
}

/* What a fault holds: taken as soon as it is free. */
static void lock_one(struct dax_inode *inode, struct entry_run *run)
{
	run->nr = 1;
	run->entry = entry_lock(inode, run->pgoff); /* gone, and no memory to make it again: 0 */
	if (run->entry & ENTRY_PMD)		    /* meanwhile: it stands at its first page */
		run->pgoff = ALIGN_DOWN(run->pgoff, FOLIO_PAGES);
	if (run->entry && !(run->entry & ENTRY_DIRTY))
		entry_unlock(inode, run->pgoff, run->entry);
}

bool entries_lock_dirty(struct dax_inode *inode, uint64_t *at, uint64_t last, struct entry_run *run)
{
	do {
		uint64_t *slot;

		spin_lock(&inode->tree_lock);
		slot = find_run(inode, at, last, 0, run);
		if ((run->entry & (ENTRY_DIRTY | ENTRY_LOCKED)) == ENTRY_DIRTY)
			for (unsigned i = 0; i < run->nr; i++)
				slot[i] |= ENTRY_LOCKED;
		spin_unlock(&inode->tree_lock);
		if (run->nr && !(run->entry & ENTRY_LOCKED) && (run->entry & ENTRY_DIRTY))
			lock_order_take(entry_wait_key(inode, run->pgoff), "index entry", LOCK_BIT,
					true);
		if (run->entry & ENTRY_LOCKED) {
			lock_one(inode, run);
			*at = run->pgoff + entry_pages(run->entry);
		}
	} while (run->nr && !(run->entry & ENTRY_DIRTY));
	return run->nr;
}

void entries_unlock(struct dax_inode *inode, const struct entry_run *run, bool clean)
{
	const uint64_t clear = ENTRY_LOCKED | (clean ? ENTRY_DIRTY : 0);
	uint64_t *slot;

	lock_order_drop(entry_wait_key(inode, run->pgoff), LOCK_BIT);
	if (museum_explored(run_looks_early))
		slot = index_slot(&inode->index, run->pgoff);
	spin_lock(&inode->tree_lock);
	if (!museum_explored(run_looks_early))
		slot = index_slot(&inode->index, run->pgoff);
	for (unsigned i = 0; i < run->nr; i++)
		slot[i] &= ~clear;
	spin_unlock(&inode->tree_lock);
	wake_entry_waiters(
		entry_wait_key(inode, run->pgoff)); /* one node is in one 2 MiB: one key for all */
}

/* ---- deleting ------------------------------------------------------------------------------- */

/* The 2 MiB entry around pgoff, if there is one, may reach over an end of [first, last). */
static void break_huge(struct dax_inode *inode, uint64_t pgoff, uint64_t first, uint64_t last)
{
	uint64_t at = pgoff, entry = entry_next(inode, &at, pgoff + 1), end = at + FOLIO_PAGES;
	const char *bytes = phys_to_virt(entry_to_pfn(entry) << PAGE_SHIFT);

	/* LAB 08 break: a part of an entry goes, and the entry with it */
	if (!(entry & ENTRY_PMD) || (at >= first && end <= last))
		return;
	/* All of it, else the neighbours stay mapped without an entry (docs/weaknesses.md E-5). */
	if (!museum_on(break_narrow))
		unmap_mapping_range(&inode->mapping, at, end);
	/* Now, as the mark that fsync looks for goes too. */
	if ((entry & ENTRY_DIRTY) && at < first)
		cache_writeback(bytes, (first - at) << PAGE_SHIFT);
	if ((entry & ENTRY_DIRTY) && end > last)
		cache_writeback(bytes + ((last - at) << PAGE_SHIFT), (end - last) << PAGE_SHIFT);
	/* END */
}

/* Both ends of the range; nothing else can reach over. */
static void break_huge_ends(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	if (!inode->nr_huge || first >= last)
		return;
	break_huge(inode, first, first, last);
	if (first / FOLIO_PAGES != (last - 1) / FOLIO_PAGES)
		break_huge(inode, last - 1, first, last);
}

/* The next run of [*at, last) goes; value: how many entries. tree_lock held. */
static unsigned delete_run(struct dax_inode *inode, uint64_t *at, uint64_t last)
{
	struct entry_run run;
	uint64_t *slot = find_run(inode, at, last, ENTRY_DIRTY, &run);

	if (!slot)
		return 0;
	ASSERT(!(run.entry & ENTRY_LOCKED),
	       "entry %lu of %s is locked by somebody who does not hold the fault lock", run.pgoff,
	       inode->name);
	if (unlikely(run.entry & ENTRY_SHARED))
		share_remove(&run);
	else if (!(run.entry & (ENTRY_EMPTY | ENTRY_ZERO)))
		inode->fs->lifetime->detach(inode, &run);
	if (run.entry & ENTRY_PMD) {
		/* Still held by somebody (only in designs that do not wait): it is split when it is
		 * next used, and counts as one until then. */
		if (!museum_on(keep_order))
			page_folio_split(run_to_page(&run));
		remove_slot(inode, slot, run.pgoff);
	} else {
		index_remove(&inode->index, slot, run.pgoff, run.nr);
	}
	return run.nr;
}

/*
 * No entry is locked first: whoever locks one holds the fault lock for reading, and it is held for
 * writing. The tree lock is let go after every node, 64 entries at most.
 */
uint64_t entries_delete(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint64_t removed = 0;
	unsigned nr;

	assert_rwsem_held_write(&inode->fault_lock);
	break_huge_ends(inode, first, last);
	do {
		spin_lock(&inode->tree_lock);
		nr = delete_run(inode, &first, last);
		spin_unlock(&inode->tree_lock);
		removed += nr;
	} while (nr);
	return removed;
}
