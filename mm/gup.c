/* SPDX-License-Identifier: MIT */
/*
 * get_user_pages: addresses in, referenced page records out.
 *
 * Slow: under mmap_lock and the page-table lock. An entry found under that lock cannot be taken
 * away before its reference is taken, so what is returned was mapped at that moment.
 *
 * Fast: no lock at all. The order is everything: read the entry, take the reference, read the entry
 * again. If it is still the same, the page was mapped while we already held it, so truncate's scan,
 * which unmaps first and looks at counts afterwards, sees our reference. If it changed, the page
 * may have been freed and belong to another file: put it back and let the slow path decide.
 * Interrupts stay off, so no page-table page can be freed under us: that needs every CPU's
 * acknowledgement.
 */
#include "mm/internal.h"

MUSEUM(fast_gup_no_recheck, "fast-gup-no-recheck",
       "fast gup trusts an entry it read before it held the page; "
       "shown by selftest gup.fast-rechecks");
STEP_POINT_DECLARE(gup_fast_before_ref);

unsigned long gup_fast_retries, gup_slow_calls;

/* The bits that an entry must have. */
static uint64_t needed(unsigned flags)
{
	return PTE_P | PTE_DEVMAP | (flags & FOLL_WRITE ? PTE_W : 0);
}

/* The entry changed while we took our references: the page may be another file's by now. They go
 * back to the record they were taken from: whose head counts for it may have changed as well. */
bool __attribute__((noinline)) gup_keep_anyway(struct page *record, unsigned long n)
{
	if (museum_on(fast_gup_no_recheck))
		return true;
	__atomic_fetch_add(&gup_fast_retries, 1, __ATOMIC_RELAXED);
	page_put_record(record, n);
	return false;
}

/*
 * Pages through the `nr` entries of one page table from ptep on; value: how many it got. What stops
 * it is an entry that does not allow it, or changed meanwhile. An entry that is the one before plus
 * one page has the same rights and the next record: its bits need no second look.
 */
static unsigned long fast_table(const uint64_t *ptep, unsigned long nr, uint64_t need,
				struct page **pages)
{
	uint64_t expected = ~0ull; /* no entry looks like that */
	struct page *page = NULL;
	unsigned long n;

	for (n = 0; n < nr; n++, page++, expected += PAGE_SIZE) {
		uint64_t pte = __atomic_load_n(&ptep[n], __ATOMIC_ACQUIRE);

		if (pte != expected) {
			/* PTE_HEAD, which is among the needed, must be clear: the slow path then.
			 */
			if (((pte ^ PTE_HEAD) & need) != need)
				break;
			page = pte_own_record(pte);
			expected = pte;
		}
		STEP_POINT(gup_fast_before_ref);
		if (!page_get_one(page))
			break;
		/* Reference before the second look, else the scan misses us and we miss its
		 * unmapping: taking it is a locked operation, a full barrier on x86. */
		if (unlikely(__atomic_load_n(&ptep[n], __ATOMIC_ACQUIRE) != expected) &&
		    !gup_keep_anyway(page, 1))
			break;
		pages[n] = page;
	}
	return n;
}

static unsigned long fast_walk(const struct mm *mm, uint64_t addr, unsigned long nr, uint64_t need,
			       struct page **pages)
{
	uint64_t irq = irq_save();
	unsigned long n = 0, want, got;

	do { /* one page table, or one larger entry, at a time */
		const uint64_t *ptep = pte_leaf(mm->root, addr);

		want = MIN(nr - n, 512 - (addr >> PAGE_SHIFT & 511));
		got = ptep ? fast_table(ptep, want, need | PTE_HEAD, pages + n)
			   : gup_fast_leaf(mm, addr, want, need, pages + n);
		n += got;
		addr += got << PAGE_SHIFT;
	} while (got == want && n < nr);
	irq_restore(irq);
	return n;
}

static int check_args(uint64_t addr, unsigned long nr, unsigned flags)
{
	const unsigned known = FOLL_WRITE | FOLL_GET | FOLL_PIN | FOLL_LONGTERM | FOLL_FAST_ONLY;
	unsigned kind = flags & (FOLL_GET | FOLL_PIN);

	if ((flags & ~known) || (addr & ~(USER_END - PAGE_SIZE)) ||
	    nr - 1 >= (USER_END - addr) >> PAGE_SHIFT) /* no page, or too many */
		return -EINVAL;
	/* Exactly one kind of reference; a long-term one is a pin by definition. */
	if (kind == FOLL_GET)
		return flags & FOLL_LONGTERM ? -EINVAL : 0;
	return kind == FOLL_PIN ? 0 : -EINVAL;
}

/* The page mapped at addr, referenced; NULL with *err 0: fault it in and come back. */
static struct page *slow_one(struct mm *mm, uint64_t addr, unsigned flags, bool *special)
{
	struct page *page = NULL;
	unsigned level;
	uint64_t pte;

	spin_lock(&mm->ptl); /* before the walk: a table may be freed under it */
	pte = __atomic_load_n(pte_lowest(mm->root, addr, &level), __ATOMIC_ACQUIRE);
	*special = (pte & PTE_P) && (pte & PTE_SPECIAL);
	if ((pte & needed(flags)) == needed(flags) && page_get(pte_record(pte), 1))
		page = pte_page(pte) + ((addr & (level_bytes(level) - 1)) >> PAGE_SHIFT);
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
		n--;		  /* the one that failed was counted */
	if (err == -EOPNOTSUPP) { /* some of them for ever help nobody */
		unpin_user_pages(pages, n);
		n = 0;
	}
	return n ? (long)n : err;
}

long get_user_pages_fast(uint64_t addr, unsigned long nr, unsigned flags, struct page **pages)
{
	struct mm *mm = current_thread()->mm;
	int err = check_args(addr, nr, flags);
	unsigned long n = 0;
	long more;

	if (err)
		return err;
	if (!mm)
		return -EFAULT;
	if (!(flags & FOLL_LONGTERM)) /* only the slow path sees the VMA, which decides that */
		n = fast_walk(mm, addr, nr, needed(flags), pages);
	if (n == nr || (flags & FOLL_FAST_ONLY))
		return n;
	more = get_user_pages(mm, addr + n * PAGE_SIZE, nr - n, flags & ~FOLL_FAST_ONLY, pages + n);
	return n ? (long)n + MAX(more, 0) : more;
}

void put_user_page(struct page *p)
{
	page_put(p, 1);
}

void put_user_pages(struct page **pages, unsigned long nr)
{
	page_put_each(pages, nr);
}

void put_user_page_range(struct page *first, unsigned long nr)
{
	page_put_range(first, nr);
}

void unpin_user_pages(struct page **pages, unsigned long nr)
{
	put_user_pages(pages, nr);
}
