/* SPDX-License-Identifier: MIT */
/*
 * get_user_pages: addresses in, referenced page records out.
 *
 * Slow: under mmap_lock and the page-table lock. An entry found under that lock cannot be taken away
 * before its reference is taken, so what is returned was mapped at that moment.
 *
 * Fast: no lock at all. The order is everything: read the entry, take the reference, read the entry
 * again. If it is still the same, the page was mapped while we already held it, so truncate's scan,
 * which unmaps first and looks at counts afterwards, sees our reference. If it changed, the page may
 * have been freed and belong to another file: put it back and let the slow path decide. Interrupts
 * stay off, so no page-table page can be freed under us: that needs every CPU's acknowledgement.
 */
#include "mm/internal.h"

MUSEUM(fast_gup_no_recheck, "fast-gup-no-recheck",
       "fast gup trusts an entry it read before it held the page; "
       "shown by selftest gup.fast-rechecks");
STEP_POINT_DECLARE(gup_fast_before_ref);

unsigned long gup_fast_retries, gup_slow_calls;

static bool entry_allows(uint64_t pte, unsigned flags)
{
	uint64_t need = PTE_P | PTE_DEVMAP | (flags & FOLL_WRITE ? PTE_W : 0);

	return (pte & need) == need;
}

/* One page through one entry; NULL: the entry does not allow it, or changed meanwhile. */
static struct page *fast_one(uint64_t root, uint64_t addr, unsigned flags)
{
	uint64_t *ptep = pte_walk(root, addr, 1, false, NULL);
	uint64_t pte = ptep ? __atomic_load_n(ptep, __ATOMIC_ACQUIRE) : 0;
	struct page *page;

	if (!entry_allows(pte, flags))
		return NULL;
	page = pfn_to_page((pte & PTE_PHYS) >> PAGE_SHIFT);
	STEP_POINT(gup_fast_before_ref);
	if (!page_get(page, 1))
		return NULL;
	/* Reference before the second look, else the scan misses us and we miss its unmapping:
	 * page_get() is a locked operation, a full barrier on x86. */
	if (__atomic_load_n(ptep, __ATOMIC_ACQUIRE) == pte || museum_on(fast_gup_no_recheck))
		return page;
	__atomic_fetch_add(&gup_fast_retries, 1, __ATOMIC_RELAXED);
	page_put(page, 1);
	return NULL;
}

static unsigned long fast_walk(uint64_t addr, unsigned long nr, unsigned flags,
			       struct page **pages)
{
	uint64_t root = current_mm()->root;
	uint64_t irq = irq_save();
	unsigned long n = 0;

	for (; n < nr; n++, addr += PAGE_SIZE) {
		pages[n] = fast_one(root, addr, flags);
		if (!pages[n])
			break;
	}
	irq_restore(irq);
	return n;
}

static int check_args(uint64_t addr, unsigned long nr, unsigned flags)
{
	const unsigned known = FOLL_WRITE | FOLL_GET | FOLL_PIN | FOLL_LONGTERM | FOLL_FAST_ONLY;

	if ((flags & ~known) || !nr || !IS_ALIGNED(addr, PAGE_SIZE) || addr >= USER_END ||
	    nr > (USER_END - addr) >> PAGE_SHIFT)
		return -EINVAL;
	/* Exactly one kind of reference; a long-term one is a pin by definition. */
	if (!(flags & FOLL_GET) == !(flags & FOLL_PIN))
		return -EINVAL;
	return (flags & FOLL_LONGTERM) && !(flags & FOLL_PIN) ? -EINVAL : 0;
}

/* The page mapped at addr, referenced; NULL with *err 0: fault it in and come back. */
static struct page *slow_one(struct mm *mm, uint64_t addr, unsigned flags, bool *special)
{
	uint64_t *ptep = pte_walk(mm->root, addr, 1, false, NULL);
	struct page *page = NULL;
	uint64_t pte;

	if (!ptep)
		return NULL;
	spin_lock(&mm->ptl);
	pte = __atomic_load_n(ptep, __ATOMIC_ACQUIRE);
	*special = (pte & PTE_P) && (pte & PTE_SPECIAL);
	if (entry_allows(pte, flags))
		page = pfn_to_page((pte & PTE_PHYS) >> PAGE_SHIFT);
	if (page && !page_get(page, 1))
		page = NULL;
	spin_unlock(&mm->ptl);
	return page;
}

/* mmap_lock held. A hole shows the zero page, which has no record: write-fault a block in. */
static int slow_page(struct mm *mm, uint64_t addr, unsigned flags, struct page **page)
{
	struct vma *vma = mm_find_vma(mm, addr);
	const char *why = NULL;
	int err = 0;

	if (!vma || ((flags & FOLL_WRITE) && !(vma->flags & VM_WRITE)))
		return -EFAULT;
	if ((flags & FOLL_LONGTERM) && (vma->flags & VM_FSDAX))
		return -EOPNOTSUPP;
	for (;;) {
		bool special = false;

		*page = slow_one(mm, addr, flags, &special);
		if (*page || err)
			return *page ? 0 : err;
		err = mm_fault_locked(mm, addr, special || (flags & FOLL_WRITE), &why);
		if (err)
			return err;
	}
}

long get_user_pages(struct mm *mm, uint64_t addr, unsigned long nr, unsigned flags,
		    struct page **pages)
{
	int err = check_args(addr, nr, flags);
	unsigned long n = 0;

	if (err)
		return err;
	__atomic_fetch_add(&gup_slow_calls, 1, __ATOMIC_RELAXED);
	down_read(&mm->mmap_lock);
	for (; n < nr && !err; n++)
		err = slow_page(mm, addr + n * PAGE_SIZE, flags, &pages[n]);
	up_read(&mm->mmap_lock);
	if (err)
		n--; /* the one that failed was counted */
	return n ? (long)n : err;
}

long get_user_pages_fast(uint64_t addr, unsigned long nr, unsigned flags, struct page **pages)
{
	int err = check_args(addr, nr, flags);
	unsigned long n = 0;
	long more;

	if (err)
		return err;
	if (!current_mm())
		return -EFAULT;
	if (!(flags & FOLL_LONGTERM)) /* only the slow path sees the VMA, which decides that */
		n = fast_walk(addr, nr, flags, pages);
	if (n == nr || (flags & FOLL_FAST_ONLY))
		return n;
	more = get_user_pages(current_mm(), addr + n * PAGE_SIZE, nr - n,
			      flags & ~FOLL_FAST_ONLY, pages + n);
	return n ? (long)n + MAX(more, 0) : more;
}

void put_user_page(struct page *p)
{
	page_put(p, 1);
}

void put_user_pages(struct page **pages, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		page_put(pages[i], 1);
}

void unpin_user_pages(struct page **pages, unsigned long nr)
{
	put_user_pages(pages, nr);
}
