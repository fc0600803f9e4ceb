/* SPDX-License-Identifier: MIT */
/*
 * Entries: one word per page of a file that was ever mapped, with a lock bit of its own.
 *
 * The lock bit lives in the word, the sleeping in the hashed wait queues, so a million entries need
 * no million locks. The tree lock is held for the moment of a change only; it also covers the link
 * page → file, so whoever holds it sees both directions agree (I6).
 */
#include "dax/internal.h"

MUSEUM(break_narrow, "break-narrow",
       "deleting a part of a 2 MiB entry unmaps only that part (E-5); "
       "shown by selftest huge.punch-unmaps-neighbours");
MUSEUM(keep_order, "keep-order",
       "a deleted 2 MiB entry leaves its first record counting for 512 pages (E-6); "
       "shown by selftest huge.deleted-is-split");

/* What waiters for one entry sleep on: all of one 2 MiB together, as nobody knows before he looks
 * which entry stands in his way. Two keys that collide only wake each other needlessly. */
static const void *wait_key(struct dax_inode *inode, uint64_t pgoff)
{
	return (const char *)&inode->index + pgoff / FOLIO_PAGES;
}

/* After the lock bit went. Nearly always nobody waits. */
static inline void wake_waiters(const void *key)
{
	smp_mb(); /* the bit before the look, else a waiter that saw it set is missed */
	if (unlikely(wait_maybe(key)))
		wake_up(key);
}

/* The slot of the 2 MiB entry around pgoff, NULL: none. tree_lock held. */
static uint64_t *huge_slot(struct dax_inode *inode, uint64_t pgoff)
{
	uint64_t *slot = index_slot(&inode->index, ALIGN_DOWN(pgoff, FOLIO_PAGES));

	return slot && (*slot & ENTRY_PMD) ? slot : NULL;
}

/* The slot of the entry of *pgoff, which becomes the entry's first page. tree_lock held. */
static inline uint64_t *find_slot(struct dax_inode *inode, uint64_t *pgoff)
{
	uint64_t first = ALIGN_DOWN(*pgoff, FOLIO_PAGES), *slot;

	if (unlikely(inode->nr_huge) && first != *pgoff && (slot = huge_slot(inode, first))) {
		*pgoff = first;
		return slot;
	}
	return index_slot(&inode->index, *pgoff);
}

/* A locked EMPTY entry, for all of the 2 MiB if there is nothing else. tree_lock held. 0: no
 * memory. */
static uint64_t __attribute__((noinline))
make_empty(struct dax_inode *inode, uint64_t pgoff, bool huge)
{
	uint64_t first = ALIGN_DOWN(pgoff, FOLIO_PAGES), value = ENTRY_EMPTY;

	if (huge && index_is_empty(&inode->index, first, FOLIO_PAGES)) {
		pgoff = first;
		value |= ENTRY_PMD;
	}
	if (!index_store(&inode->index, pgoff, value | ENTRY_LOCKED))
		return 0;
	inode->nr_huge += (value & ENTRY_PMD) != 0;
	return value;
}

/* True: it is ours, or there was no memory for it (*value 0). */
static inline bool try_lock(struct dax_inode *inode, uint64_t pgoff, bool huge, uint64_t *value)
{
	uint64_t *slot;
	bool done = true;

	spin_lock(&inode->tree_lock);
	slot = find_slot(inode, &pgoff);
	if (!slot) {
		*value = make_empty(inode, pgoff, huge);
	} else {
		*value = *slot;
		done = !(*value & ENTRY_LOCKED);
		*slot = *value | ENTRY_LOCKED;
	}
	spin_unlock(&inode->tree_lock);
	return done;
}

static uint64_t __attribute__((noinline))
lock_slowly(struct dax_inode *inode, uint64_t pgoff, bool huge)
{
	uint64_t value;

	if (!try_lock(inode, pgoff, huge, &value))
		wait_event(wait_key(inode, pgoff), try_lock(inode, pgoff, huge, &value),
			   "a locked index entry", "entry_unlock() of the fault that holds it");
	return value;
}

uint64_t entry_lock(struct dax_inode *inode, uint64_t pgoff)
{
	uint64_t value;

	return likely(try_lock(inode, pgoff, false, &value)) ? value
							     : lock_slowly(inode, pgoff, false);
}

uint64_t entry_lock_huge(struct dax_inode *inode, uint64_t pgoff)
{
	uint64_t value;

	return likely(try_lock(inode, pgoff, true, &value)) ? value
							    : lock_slowly(inode, pgoff, true);
}

/* tree_lock held. */
static void remove_slot(struct dax_inode *inode, uint64_t *slot, uint64_t pgoff)
{
	inode->nr_huge -= (*slot & ENTRY_PMD) != 0;
	index_remove(&inode->index, slot, pgoff);
}

void entry_unlock(struct dax_inode *inode, uint64_t pgoff, uint64_t value)
{
	uint64_t *slot;

	spin_lock(&inode->tree_lock);
	slot = find_slot(inode, &pgoff);
	ASSERT(slot && (*slot & ENTRY_LOCKED), "entry %lu of %s is unlocked, and nobody holds it",
	       pgoff, inode->name);
	if (!value || (value & ENTRY_EMPTY))
		remove_slot(inode, slot, pgoff);
	else
		*slot = value & ~ENTRY_LOCKED;
	spin_unlock(&inode->tree_lock);
	wake_waiters(wait_key(inode, pgoff));
}

uint64_t entry_shrink(struct dax_inode *inode, uint64_t pgoff)
{
	uint64_t first = pgoff, value, *slot;

	spin_lock(&inode->tree_lock);
	slot = find_slot(inode, &first);
	ASSERT(slot && (*slot & ENTRY_PMD) && (*slot & ENTRY_LOCKED) && (*slot & ENTRY_EMPTY),
	       "entry %lu of %s must be locked, empty and of 2 MiB", pgoff, inode->name);
	remove_slot(inode, slot, first);
	value = make_empty(inode, pgoff, false);
	spin_unlock(&inode->tree_lock);
	wake_up(wait_key(inode, pgoff)); /* those who wait for another page of the 2 MiB */
	return value;
}

/* The next entry with a page in [*pgoff, last). tree_lock held. */
static uint64_t *next_slot(struct dax_inode *inode, uint64_t *pgoff, uint64_t last)
{
	uint64_t *slot;

	if (unlikely(inode->nr_huge) && *pgoff < last && (slot = huge_slot(inode, *pgoff))) {
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

void page_associate(struct page *page, struct dax_inode *inode, uint64_t pgoff)
{
	spin_lock(&inode->tree_lock);
	ASSERT(!page->mapping, "pfn 0x%lx gets file %s, and already belongs to another one (I6)",
	       page_to_pfn(page), inode->name);
	page->mapping = &inode->mapping;
	page->index = pgoff;
	spin_unlock(&inode->tree_lock);
}

void page_disassociate(struct page *page, struct dax_inode *inode, uint64_t pgoff)
{
	spin_lock(&inode->tree_lock);
	ASSERT(page->mapping == &inode->mapping && page->index == pgoff,
	       "pfn 0x%lx must belong to page %lu of %s when that entry goes (I6)",
	       page_to_pfn(page), pgoff, inode->name);
	page->mapping = NULL;
	page->index = 0;
	spin_unlock(&inode->tree_lock);
}

/* The next entry in [*pgoff, last), locked; 0: none. Its place in *slot, which is good until
 * another entry is made: not while the fault lock is held for writing. Sleeps; woken by:
 * entry_unlock(). */
static uint64_t lock_next(struct dax_inode *inode, uint64_t *pgoff, uint64_t last, uint64_t **slot)
{
	uint64_t value = 0;

	spin_lock(&inode->tree_lock);
	*slot = next_slot(inode, pgoff, last);
	if (*slot) {
		value = **slot;
		**slot |= ENTRY_LOCKED;
	}
	spin_unlock(&inode->tree_lock);
	ASSERT(!(value & ENTRY_LOCKED),
	       "entry %lu of %s is locked by somebody who does not hold the fault lock", *pgoff,
	       inode->name);
	return value;
}

static void remove_locked(struct dax_inode *inode, uint64_t pgoff, uint64_t *slot)
{
	spin_lock(&inode->tree_lock);
	remove_slot(inode, slot, pgoff);
	spin_unlock(&inode->tree_lock);
	wake_waiters(wait_key(inode, pgoff));
}

/*
 * The 2 MiB entry at `at` reaches over an end of [first, last). All of it is unmapped, not only the
 * range, else its neighbours stay mapped without an entry (page-lifetime.md E-5); what they have
 * dirty goes back now, as the mark that fsync looks for goes too.
 */
static void break_huge(struct dax_inode *inode, uint64_t at, uint64_t entry, uint64_t first,
		       uint64_t last)
{
	uint64_t end = at + FOLIO_PAGES;
	const char *bytes = phys_to_virt(entry_pfn(entry) << PAGE_SHIFT);

	if (at >= first && end <= last)
		return;
	if (!museum_on(break_narrow))
		unmap_mapping_range(&inode->mapping, at, end);
	if ((entry & ENTRY_DIRTY) && at < first)
		cache_writeback(bytes, (first - at) << PAGE_SHIFT);
	if ((entry & ENTRY_DIRTY) && end > last)
		cache_writeback(bytes + ((last - at) << PAGE_SHIFT), (end - last) << PAGE_SHIFT);
}

/* The entry at `at` is locked. */
static void delete_entry(struct dax_inode *inode, uint64_t at, uint64_t entry)
{
	struct page *page = pfn_to_page(entry_pfn(entry));

	inode->fs->lifetime->remove(inode, at, page);
	/* Still held by somebody (only in designs that do not wait): it is split when it is next
	 * used, and counts as one until then. */
	if ((entry & ENTRY_PMD) && !museum_on(keep_order))
		page_folio_split(page);
}

uint64_t entries_delete(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint64_t at = first, removed = 0, entry, *slot;

	assert_rwsem_held_write(&inode->fault_lock);
	for (; (entry = lock_next(inode, &at, last, &slot)); at += entry_pages(entry)) {
		if (entry & ENTRY_PMD)
			break_huge(inode, at, entry, first, last);
		if (!(entry & (ENTRY_EMPTY | ENTRY_ZERO)))
			delete_entry(inode, at, entry);
		remove_locked(inode, at, slot);
		removed++;
	}
	return removed;
}
