/* SPDX-License-Identifier: MIT */
/*
 * fork of an address space: the same VMAs, and copies shared until somebody stores.
 *
 * What a file shows is not copied entry by entry: the child's first access faults, and the file
 * answers. Private copies live in the page tables alone, so both sides show them from now on,
 * read-only. The order: first take the right to write away from the parent and flush; then make the
 * entry one that shows a shared page, which fast gup refuses (PTE_SLOW); then look at the
 * references. A reference that was taken before is seen. One that is being taken finds the entry
 * changed and is given back. Later ones come by the slow path, which waits for mmap_lock, held for
 * writing here.
 */
#include "mm/tables/internal.h"
#include "mm/space/internal.h"

MUSEUM(fork_looks_first, "fork-looks-first",
       "fork looks for references before the entry tells fast gup to keep off: a pin in between "
       "holds a page that the next store copies away from; shown by selftest fork.meets-fast-pin");
MUSEUM(fork_unprotected, "fork-unprotected",
       "fork leaves the parent the right to write, so that what it stores then is the child's as "
       "well; shown by selftest fork.both-write");

/* Before the entry is changed, between that and the look, and behind the look. */
STEP_POINT_DECLARE(fork_before_share);
STEP_POINT_DECLARE(fork_before_look);
STEP_POINT_DECLARE(fork_looked);

/* A device may be writing to it: the page stays the parent's alone, the child gets what is in it.
 */
static int copy_now(const struct page *page, uint64_t *to)
{
	struct page *copy = anon_page_new(page_to_virt(page));

	if (!copy)
		return -ENOMEM;
	page_map_get(copy);
	__atomic_store_n(to, anon_entry(copy, false), __ATOMIC_RELEASE);
	return 0;
}

/* The parent's entry shows a shared page from now on. False: the page is referenced, so it stays
 * the parent's alone, and the entry is as before. Nobody else changes the entry: faults wait for
 * mmap_lock, truncate for the file's lock. */
static bool give_up_own(uint64_t *from, const struct page *page)
{
	bool held = museum_on(fork_looks_first) && page_refs(page);

	STEP_POINT(fork_before_share);
	/* The entry before the look (a full barrier), else a fast pin in between is missed: it
	 * would hold a page that the parent's next store copies away from. */
	__atomic_fetch_xor(from, PTE_OWN | PTE_SLOW, __ATOMIC_SEQ_CST);
	STEP_POINT(fork_before_look);
	if (!museum_on(fork_looks_first))
		held = page_refs(page);
	STEP_POINT(fork_looked);
	if (held)
		__atomic_fetch_xor(from, PTE_OWN | PTE_SLOW, __ATOMIC_ACQ_REL);
	return !held;
}

/* One entry of the parent, write-protected and flushed already. */
static int share_entry(struct mm *child, uint64_t va, uint64_t *from)
{
	uint64_t entry = __atomic_load_n(from, __ATOMIC_ACQUIRE), *to;

	if (!pte_is_anon(entry))
		return 0;
	to = pte_walk(child->root, va, 1, true, NULL);
	if (!to)
		return -ENOMEM;
	if ((entry & PTE_OWN) && !give_up_own(from, pte_to_page(entry)))
		return copy_now(pte_to_page(entry), to);
	page_map_get(pte_to_page(entry));
	__atomic_store_n(to, (entry & ~(PTE_OWN | PTE_D)) | PTE_SLOW, __ATOMIC_RELEASE);
	return 0;
}

/* File locked, so that truncate does not look at one of the two VMAs only. */
static int share_copies(struct vma *old, struct mm *child)
{
	struct mm *mm = old->mm;
	int err = 0;

	if (!museum_on(fork_unprotected))
		zap_vma(old, old->start, old->end, ZAP_CLEAN);
	for (uint64_t va = old->start; va < old->end && !err;) {
		unsigned level;
		uint64_t *pte = pte_walk(mm->root, va, 1, false, &level);
		uint64_t span = PAGE_SIZE << (9 * (pte ? 0 : level - 1));

		if (pte)
			err = share_entry(child, va, pte);
		va = ALIGN_DOWN(va, span) + span;
	}
	return err;
}

static int fork_vma(struct vma *vma, struct mm *child)
{
	struct vma *copy = vma_new(vma, child, vma->start, vma->end);
	int err = 0;

	if (!copy)
		return -ENOMEM;
	vma_lock_file(copy);
	vma_enter(child, copy); /* nobody else knows the child yet: its own lock is not needed */
	if (vma->flags & VM_PRIVATE)
		err = share_copies(vma, child);
	vma_unlock_file(copy);
	return err;
}

struct mm *mm_fork(struct mm *mm, const char *name)
{
	struct mm *child = mm_create(name);
	struct vma *vma = NULL;
	int err = 0;

	if (!child)
		return NULL;
	down_write(&mm->mmap_lock);
	while (!err && (vma = mm_next_vma(mm, vma)))
		err = fork_vma(vma, child);
	up_write(&mm->mmap_lock);
	if (err) {
		mm_put(child); /* unmaps what it has got so far */
		return NULL;
	}
	return child;
}
