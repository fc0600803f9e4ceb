/* SPDX-License-Identifier: MIT */
/*
 * Taking translations away: by address (munmap) and by file (truncate, punch, fsync).
 *
 * One rule (busy-extent.md F-15): a mapping count is dropped only after every CPU has acknowledged
 * the flush. Otherwise: munmap on CPU 0 clears an entry and drops the count, truncate on CPU 1
 * finds no mapping, flushes nothing and frees the block, and CPU 2 still writes into it through its
 * TLB. In lifetimes where a mapping counts nothing the same is kept by the page-table lock: it is
 * held until the flush is acknowledged, so a scan that finds the entry gone knows the flush is
 * over. The lock is a spinlock, held while waiting for interrupts to be acknowledged: CPUs that
 * spin for it have interrupts enabled, so they acknowledge.
 */
#include "mm/internal.h"

MUSEUM(count_before_flush, "count-before-flush",
       "unmap drops the mapping count before the TLB flush is acknowledged; "
       "shown by selftest tlb.count-after-flush");

#define BATCH 64

struct zap {
	struct vma *vma;
	enum zap_mode mode;
	uint64_t start, end; /* addresses touched since the last flush */
	unsigned nr;	     /* pages whose count is still to be dropped */
	uint64_t cleared;
	struct page *pages[BATCH]; /* the first `nr`; the rest is not even initialised */
};

static void drop_counts(struct zap *z)
{
	page_map_put_each(z->pages, z->nr);
	z->nr = 0;
}

/* Entries gathered so far: flush, then counts. ptl held. */
static void zap_flush(struct zap *z)
{
	if (museum_on(count_before_flush))
		drop_counts(z);
	tlb_flush_range(z->vma->mm, z->start, z->end);
	drop_counts(z);
	z->start = z->end = 0;
}

/* Takes away, or write-protects, one entry that the mode is about; value: it as it was. The CPU may
 * set its accessed and dirty bits at any moment, so both are one read-modify-write. */
static uint64_t zap_entry(uint64_t *pte, enum zap_mode mode)
{
	if (mode == ZAP_CLEAR)
		return __atomic_exchange_n(pte, 0, __ATOMIC_ACQ_REL);
	return __atomic_fetch_and(pte, ~(PTE_W | PTE_D), __ATOMIC_ACQ_REL);
}

/*
 * The entries of one page table, of [va, end), from pte on, until the list is full; value: how far.
 * What is gathered stays in registers up to then. ptl held.
 */
static inline __attribute__((always_inline)) uint64_t
zap_some(struct zap *z, uint64_t *pte, uint64_t va, uint64_t end, const enum zap_mode mode)
{
	const uint64_t about = mode == ZAP_CLEAR ? PTE_P : PTE_P | PTE_W;
	struct page **page = z->pages + z->nr, **const full = z->pages + BATCH;
	uint64_t first = 0, last = 0, cleared = 0;

	for (; va < end && page < full; va += PAGE_SIZE, pte++) {
		uint64_t old = __atomic_load_n(pte, __ATOMIC_RELAXED);

		if ((old & about) != about)
			continue;
		old = zap_entry(pte, mode);
		if (!first)
			first = va;
		last = va;
		cleared++;
		if (mode == ZAP_CLEAR && (old & PTE_DEVMAP))
			*page++ = pte_record(old);
	}
	if (cleared) {
		if (z->start == z->end)
			z->start = first;
		z->end = last + PAGE_SIZE;
		z->cleared += cleared;
		z->nr = page - z->pages;
	}
	return va;
}

static void zap_table(struct zap *z, uint64_t *pte, uint64_t va, uint64_t end)
{
	while (va < end) {
		uint64_t next = z->mode == ZAP_CLEAR ? zap_some(z, pte, va, end, ZAP_CLEAR)
						     : zap_some(z, pte, va, end, ZAP_CLEAN);

		pte += (next - va) >> PAGE_SHIFT;
		va = next;
		if (z->nr == BATCH)
			zap_flush(z);
	}
}

/*
 * The one large entry of `bytes` at va, of which at least a part is to go: all of it goes, since
 * nothing smaller can be left. What is missing then and still in its file is faulted in again. ptl
 * held.
 */
static void zap_leaf(struct zap *z, uint64_t *pte, uint64_t va, uint64_t bytes)
{
	/* What was absent a moment ago may be a table by now: a fault beside the range makes it,
	 * without a lock. PTE_PS tells them apart, else the table goes, and with it what it maps.
	 */
	const uint64_t about = z->mode == ZAP_CLEAR ? PTE_P | PTE_PS : PTE_P | PTE_PS | PTE_W;
	uint64_t old = __atomic_load_n(pte, __ATOMIC_RELAXED);

	if ((old & about) != about)
		return;
	old = zap_entry(pte, z->mode);
	if (z->start == z->end)
		z->start = va;
	z->end = va + bytes;
	z->cleared++;
	if (z->mode == ZAP_CLEAR && (old & PTE_DEVMAP))
		z->pages[z->nr++] = pte_record(old);
	if (z->nr == BATCH)
		zap_flush(z);
}

uint64_t zap_vma(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode)
{
	struct zap z; /* the list of pages needs no zeroes */

	z.vma = vma;
	z.mode = mode;
	z.start = z.end = z.cleared = z.nr = 0;
	spin_lock(&vma->mm->ptl);
	while (start < end) {
		unsigned level;
		uint64_t *pte = pte_lowest(vma->mm->root, start, &level);
		/* What the table covers, or the large entry, or the gap where there is none. */
		uint64_t span = level_bytes(level == 1 ? 2 : level);
		uint64_t from = ALIGN_DOWN(start, span), next = MIN(from + span, end);

		if (level == 1)
			zap_table(&z, pte, start, next);
		else
			zap_leaf(&z, pte, from, span);
		start = next;
	}
	zap_flush(&z);
	spin_unlock(&vma->mm->ptl);
	return z.cleared;
}

static uint64_t zap_mapping(struct mapping *m, uint64_t first, uint64_t last, enum zap_mode mode)
{
	uint64_t cleared = 0;
	struct vma *vma;

	down_read(&m->i_mmap_lock);
	LIST_FOREACH (vma, &m->vmas, i_mmap) {
		uint64_t pages = (vma->end - vma->start) >> PAGE_SHIFT;
		uint64_t from = MAX(first, vma->pgoff), to = MIN(last, vma->pgoff + pages);
		uint64_t (*zap)(struct vma *, uint64_t, uint64_t, enum zap_mode) =
			vma->flags & VM_PRIVATE ? zap_private : zap_vma;

		if (from < to)
			cleared += zap(vma, vma->start + ((from - vma->pgoff) << PAGE_SHIFT),
				       vma->start + ((to - vma->pgoff) << PAGE_SHIFT), mode);
	}
	up_read(&m->i_mmap_lock);
	return cleared;
}

uint64_t unmap_mapping_range(struct mapping *m, uint64_t first, uint64_t last)
{
	return zap_mapping(m, first, last, ZAP_CLEAR);
}

uint64_t clean_mapping_range(struct mapping *m, uint64_t first, uint64_t last)
{
	return zap_mapping(m, first, last, ZAP_CLEAN);
}
