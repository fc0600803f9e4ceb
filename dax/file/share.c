/* SPDX-License-Identifier: MIT */
/*
 * Pages that several files have: what the record says, and what a store does.
 *
 * A record has room for one file. If the block is shared, `mapping` is a marker that is no file's,
 * and `index` counts the entries that name the page, of whatever files: Linux calls it the share
 * count. Rules:
 *   - an entry knows by ENTRY_SHARED that its page is counted and not linked, so adding and
 *     removing it go the same way even if the block had fewer owners meanwhile;
 *   - such an entry holds no reference, in no lifetime: the page is not the entry's alone. A design
 *     whose scan gives the entry's reference back must leave these out, or the count falls below
 *     rest (docs/weaknesses.md D-4);
 *   - it is never dirty and mapped read-only. A store faults, gives the page up, and asks the file
 *     layer again, which finds the block shared and copies it (or finds that it is not any more);
 *   - a block becomes shared under both files' fault locks with the entries of both ranges deleted
 *     (dax_reflink()), so no entry without the flag is left that names it.
 * What is freed is decided by the file layer, which counts owners on its own: entries come and go
 * with mappings, owners do not.
 */
#include "dax/file/internal.h"

/* Stands for "several"; nothing is ever mapped by it. */
static struct mapping shared;
/* Entries of several files change one count, each under its own tree lock. Inside of those. */
static struct spinlock share_lock = SPINLOCK_INIT("share counts");

void share_insert(struct page *page)
{
	spin_lock(&share_lock);
	ASSERT(!page->mapping || page->mapping == &shared,
	       "pfn 0x%lx is shared, and an entry has it for itself (I6)", page_to_pfn(page));
	page->index = page->mapping ? page->index + 1 : 1; /* without a file it said nothing */
	page->mapping = &shared;
	spin_unlock(&share_lock);
}

static void drop(struct page *page)
{
	spin_lock(&share_lock);
	ASSERT(page->mapping == &shared && page->index,
	       "pfn 0x%lx is named by an entry that shares it, and counts none (I6)",
	       page_to_pfn(page));
	if (!--page->index)
		page->mapping = NULL;
	spin_unlock(&share_lock);
}

void share_remove(const struct entry_run *run)
{
	for (unsigned i = 0; i < run->nr; i++)
		drop(run_to_page(run) + i);
}

void share_give_up(struct dax_inode *inode, uint64_t pgoff, uint64_t *entry)
{
	/* First of all: if there is no block for a copy the entry stays EMPTY, and nothing may be
	 * mapped without an entry (I3). */
	unmap_mapping_range(&inode->mapping, pgoff, pgoff + 1);
	drop(pfn_to_page(entry_to_pfn(*entry)));
	*entry = ENTRY_EMPTY;
}

uint64_t page_share_count(const struct page *page)
{
	return __atomic_load_n(&page->mapping, __ATOMIC_RELAXED) == &shared
		       ? __atomic_load_n(&page->index, __ATOMIC_RELAXED)
		       : 0;
}
