/* SPDX-License-Identifier: MIT */
/*
 * Entries: one word per page of a file that was ever mapped, with a lock bit of its own.
 *
 * The lock bit lives in the word, the sleeping in the hashed wait queues, so a million entries need
 * no million locks. The tree lock is held for the moment of a change only; it also covers the link
 * page → file, so whoever holds it sees both directions agree (I6).
 */
#include "dax/internal.h"

/* What waiters for one entry sleep on; two keys that collide only wake each other needlessly. */
static const void *wait_key(struct dax_inode *inode, uint64_t pgoff)
{
	return (const char *)&inode->index + pgoff;
}

/* tree_lock held. */
static bool try_lock_locked(struct dax_inode *inode, uint64_t pgoff, uint64_t *value,
			    bool *no_memory)
{
	uint64_t *slot = index_slot(&inode->index, pgoff);

	if (!slot) {
		*value = ENTRY_EMPTY;
		*no_memory = !index_store(&inode->index, pgoff, ENTRY_EMPTY | ENTRY_LOCKED);
		return true;
	}
	*value = *slot;
	if (*value & ENTRY_LOCKED)
		return false;
	*slot = *value | ENTRY_LOCKED;
	return true;
}

/* True: it is ours, or there was no memory for it. */
static bool try_lock(struct dax_inode *inode, uint64_t pgoff, uint64_t *value, bool *no_memory)
{
	bool done;

	spin_lock(&inode->tree_lock);
	done = try_lock_locked(inode, pgoff, value, no_memory);
	spin_unlock(&inode->tree_lock);
	return done;
}

uint64_t entry_lock(struct dax_inode *inode, uint64_t pgoff)
{
	bool no_memory = false;
	uint64_t value;

	if (!try_lock(inode, pgoff, &value, &no_memory))
		wait_event(wait_key(inode, pgoff), try_lock(inode, pgoff, &value, &no_memory),
			   "a locked index entry", "entry_unlock() of the fault that holds it");
	return no_memory ? 0 : value;
}

void entry_unlock(struct dax_inode *inode, uint64_t pgoff, uint64_t value)
{
	uint64_t *slot;

	spin_lock(&inode->tree_lock);
	slot = index_slot(&inode->index, pgoff);
	ASSERT(slot && (*slot & ENTRY_LOCKED), "entry %lu of %s is unlocked, and nobody holds it",
	       pgoff, inode->name);
	if (!value || (value & ENTRY_EMPTY))
		index_remove(&inode->index, slot, pgoff);
	else
		*slot = value & ~ENTRY_LOCKED;
	spin_unlock(&inode->tree_lock);
	wake_up(wait_key(inode, pgoff));
}

uint64_t entry_next(struct dax_inode *inode, uint64_t *pgoff, uint64_t last)
{
	uint64_t value;

	spin_lock(&inode->tree_lock);
	value = index_next(&inode->index, pgoff, last);
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

/* The next entry in [*pgoff, last), locked; 0: none. Sleeps; woken by: entry_unlock(). */
static uint64_t lock_next(struct dax_inode *inode, uint64_t *pgoff, uint64_t last)
{
	uint64_t value = 0, *slot;

	spin_lock(&inode->tree_lock);
	slot = index_next_slot(&inode->index, pgoff, last);
	if (slot) {
		value = *slot;
		*slot |= ENTRY_LOCKED;
	}
	spin_unlock(&inode->tree_lock);
	if (!(value & ENTRY_LOCKED))
		return value;
	value = entry_lock(inode, *pgoff);
	ASSERT(value, "an entry that exists is locked without memory");
	return value;
}

uint64_t entries_delete(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint64_t at = first, removed = 0, entry;

	assert_rwsem_held_write(&inode->fault_lock);
	for (; (entry = lock_next(inode, &at, last)); at++) {
		if (!(entry & (ENTRY_EMPTY | ENTRY_ZERO)))
			inode->fs->lifetime->remove(inode, at, pfn_to_page(entry_pfn(entry)));
		entry_unlock(inode, at, 0);
		removed++;
	}
	return removed;
}
