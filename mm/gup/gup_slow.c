/* SPDX-License-Identifier: MIT */
/*
 * The slow path of get_user_pages: one page after the other, with faults.
 *
 * Under mmap_lock and, for each page, the page-table lock. An entry found under that lock cannot be
 * taken away before its reference is taken, so what is returned was mapped at that moment.
 *
 * Around the loop lies the call: the VMA of the first address may want to know when it begins, and
 * what came of it (gup_begin and gup_end in struct vma_ops). Such a VMA has VM_SLOWGUP, so that no
 * reference passes it by the fast path.
 */
#include "mm/tables/internal.h"
#include "mm/gup/internal.h"
#include "mm/space/internal.h"

MUSEUM(gup_lost_lease, "gup-lost-lease",
       "a get_user_pages call that a signal ends early does not report its end (B-2); "
       "shown by selftest gup.signal-ends-call and race B-2 lifetime=lease-poll (HUNG I4)");
MUSEUM(slow_unlocked, "slow-gup-unlocked",
       "slow gup lets the page-table lock go before it has its reference: the page may be another "
       "file's by then; found by explore gup.slow-truncate "
       "lifetime=idle-at-one");
MUSEUM(longterm_anywhere, "longterm-anywhere",
       "R16: a long-term pin is taken of a file whose design would wait for it; shown by selftest "
       "gup.longterm-refused and selftest huge.longterm-refused");

unsigned long gup_slow_calls;

/* Would the next store of its own mapping copy away from the page, so that the pinner and the
 * address space part? Not where nothing can be stored. */
static bool must_unshare(const struct vma *vma, uint64_t pte, unsigned flags)
{
	return (flags & FOLL_PIN) && (vma->flags & VM_WRITE) && pte_is_anon(pte) &&
	       !(pte & PTE_OWN);
}

/* The page mapped at addr, referenced; NULL with *err 0: fault it in and come back, by a store if
 * *store. What is mapped is held by its mapping, so only a busy folio refuses: its file has freed
 * another part of it. */
static struct page *slow_one(const struct vma *vma, uint64_t addr, unsigned flags, bool *store,
			     int *err)
{
	struct mm *mm = vma->mm;
	const uint64_t need = gup_needed(flags);
	const bool early = museum_on(slow_unlocked);
	struct page *page = NULL;
	unsigned level;
	uint64_t pte;

	spin_lock(&mm->ptl); /* before the walk: a table may be freed under it */
	pte = __atomic_load_n(pte_lowest(mm->root, addr, &level), __ATOMIC_ACQUIRE);
	*store = ((pte & PTE_P) && (pte & PTE_SPECIAL)) || must_unshare(vma, pte, flags);
	if (early)
		spin_unlock(&mm->ptl);
	if ((pte & need) == need && !*store) {
		page = pte_to_page(pte) + ((addr & (level_bytes(level) - 1)) >> PAGE_SHIFT);
		if (!page_get(pte_to_record(pte), 1)) {
			page = NULL;
			*err = -EBUSY;
		}
	}
	if (!early)
		spin_unlock(&mm->ptl);
	return page;
}

/* mmap_lock held. A hole shows the zero page, which has no record: write-fault a block in. */
static int slow_page(struct mm *mm, uint64_t addr, unsigned flags, struct page **page)
{
	struct vma *vma = mm_find_vma(mm, addr);
	int err = 0;

	if (!vma)
		return refuse(-EFAULT, "nothing is mapped at this address");
	if ((flags & FOLL_WRITE) && !(vma->flags & VM_WRITE))
		return refuse(-EFAULT,
			      "the mapping is read-only, and the pages are to be written: a "
			      "mapping for writing would do, or a hold for reading ('ro')");
	if ((flags & FOLL_LONGTERM) && vma_is_fsdax(vma) && !(vma->flags & VM_LONGTERM) &&
	    !museum_on(longterm_anywhere))
		return -EOPNOTSUPP;
	for (;;) {
		bool store = false;

		*page = slow_one(vma, addr, flags, &store, &err);
		if (*page || err)
			return *page ? 0 : refuse(err, "the page takes no reference any more");
		if (vma->flags & VM_LIMITED) /* no fault makes a record */
			return refuse(-EFAULT, "its region is limited: there is no page record");
		err = mm_fault_locked(mm, addr, store || (flags & FOLL_WRITE));
		if (err)
			return err;
	}
}

/* One get_user_pages() call. */
struct gup_call {
	struct mm *mm;
	uint64_t addr;
	unsigned long nr;
	unsigned flags;
	struct page **pages;
	const struct vma_ops *began; /* gup_end is due; NULL: the first VMA did not want to know */
	void *cookie;
};

/* Asks the first VMA, and no other (B-1). mmap_lock held. */
static int call_begin(struct gup_call *c)
{
	struct vma *vma = mm_find_vma(c->mm, c->addr);
	int err;

	if (!vma || !vma->ops->gup_begin)
		return 0;
	err = vma->ops->gup_begin(vma, c->nr, &c->cookie);
	if (!err)
		c->began = vma->ops;
	return err;
}

/* mmap_lock held. How many were got, and why no more in *err. A call that was announced ends at a
 * signal: whoever was told of it may be waiting for its end. */
static unsigned long call_loop(struct gup_call *c, int *err)
{
	unsigned long n;

	for (n = 0; n < c->nr; n++) {
		if (n && c->began && signal_pending())
			break;
		*err = slow_page(c->mm, c->addr + n * PAGE_SIZE, c->flags, &c->pages[n]);
		if (*err)
			break;
	}
	return n;
}

/* No lock held. */
static void call_end(struct gup_call *c, unsigned long n)
{
	if (museum_on(gup_lost_lease) && n < c->nr && signal_pending())
		return;
	if (c->began)
		c->began->gup_end(c->cookie, c->pages, n);
}

long get_user_pages(struct mm *mm, uint64_t addr, unsigned long nr, unsigned flags,
		    struct page **pages)
{
	struct gup_call c = {mm, addr, nr, flags, pages, NULL, NULL};
	int err = gup_check(addr, nr, flags);
	unsigned long n = 0;

	if (err)
		return err;
	__atomic_fetch_add(&gup_slow_calls, 1, __ATOMIC_RELAXED);
	down_read(&mm->mmap_lock);
	err = call_begin(&c);
	if (!err)
		n = call_loop(&c, &err);
	up_read(&mm->mmap_lock);
	if (err == -EOPNOTSUPP) { /* some of them for ever help nobody */
		unpin_user_pages(pages, n);
		n = 0;
	}
	call_end(&c, n);
	return n ? (long)n : err;
}
