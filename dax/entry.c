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

static bool try_lock(struct dax_inode *inode, uint64_t pgoff, uint64_t *value, bool *no_memory)
{
	bool got = false;

	spin_lock(&inode->tree_lock);
	*value = index_load(&inode->index, pgoff);
	if (!(*value & ENTRY_LOCKED)) {
		if (!*value)
			*value = ENTRY_EMPTY;
		got = index_store(&inode->index, pgoff, *value | ENTRY_LOCKED);
		*no_memory = !got;
	}
	spin_unlock(&inode->tree_lock);
	return got || *no_memory;
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
	spin_lock(&inode->tree_lock);
	ASSERT(index_load(&inode->index, pgoff) & ENTRY_LOCKED,
	       "entry %lu of %s is unlocked, and nobody holds it", pgoff, inode->name);
	index_store(&inode->index, pgoff, value & ENTRY_EMPTY ? 0 : value & ~ENTRY_LOCKED);
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

uint64_t entries_delete(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint64_t at = first, removed = 0, entry;

	assert_rwsem_held_write(&inode->fault_lock);
	for (; (entry = entry_next(inode, &at, last)); at++) {
		entry = entry_lock(inode, at);
		ASSERT(entry, "an entry that exists is locked without memory");
		if (!(entry & (ENTRY_EMPTY | ENTRY_ZERO)))
			inode->fs->lifetime->remove(inode, at, pfn_to_page(entry_pfn(entry)));
		entry_unlock(inode, at, 0);
		removed++;
	}
	return removed;
}
