/* SPDX-License-Identifier: MIT */
/*
 * Taking translations away: by address (munmap) and by file (truncate, punch, fsync).
 *
 * One rule (docs/weaknesses.md F-15): a mapping count is dropped only after every CPU has
 * acknowledged the flush. Otherwise: munmap on CPU 0 clears an entry and drops the count, truncate
 * on CPU 1 finds no mapping, flushes nothing and frees the block, and CPU 2 still writes into it
 * through its TLB. In lifetimes where a mapping counts nothing the same is kept by the page-table
 * lock: it is held until the flush is acknowledged, so a scan that finds the entry gone knows the
 * flush is over. The lock is a spinlock, held while waiting for interrupts to be acknowledged: CPUs
 * that spin for it have interrupts enabled, so they acknowledge.
 */
#include "mm/tables/internal.h"
#include "mm/space/internal.h"

MUSEUM(count_before_flush, "count-before-flush",
       "F-15: unmap drops the mapping count, and the page-table lock, before the TLB flush "
       "is acknowledged; shown by race F-15 (BROKEN I1), and selftest tlb.count-after-flush "
       "and selftest tlb.count-last-everywhere");
MUSEUM(zap_takes_table, "zap-takes-table",
       "zap takes a page table away where it expected an entry of 2 MiB; "
       "shown by selftest space.zap-spares-table");
STEP_POINT_DECLARE(zap_before_leaf);
STEP_POINT_DECLARE(zap_unlocked);

#define RUNS 64 /* gathered for one flush */

/* Entries that were cleared side by side, and whose pages are so as well. `first`: the record that
 * counts for the first one; those that count for the others follow. */
struct zap_run {
	struct page *first;
	unsigned long nr;
};

struct zap {
	struct vma *vma;
	enum zap_mode mode;
	uint64_t start, end; /* addresses touched since the last flush */
	uint64_t cleared;
	unsigned nr;		  /* runs whose counts are still to be dropped */
	struct zap_run run[RUNS]; /* the first `nr`; the rest is not even initialised */
	uint64_t first;		  /* of the range that was told to notifiers, if `notified` */
	bool notified;
};

static void drop_counts(struct zap *z)
{
	for (unsigned i = 0; i < z->nr; i++)
		page_map_put_run(z->run[i].first, z->run[i].nr);
	z->nr = 0;
}

/* Entries gathered so far: flush, then counts. ptl held. */
static void zap_flush(struct zap *z)
{
	/* LAB 07 in-order: the CPUs forget the entries, the pages lose the counts */
	if (museum_on(count_before_flush))
		drop_counts(z);
	tlb_flush_range(z->vma->mm, z->start, z->end);
	drop_counts(z);
	z->start = z->end = 0;
	/* END */
}

/* `entries` of [start, end) were changed; what they counted is in the list. ptl held. */
static void zap_changed(struct zap *z, uint64_t start, uint64_t end, uint64_t entries)
{
	if (z->start == z->end)
		z->start = start;
	z->end = end;
	z->cleared += entries;
	if (z->nr == RUNS)
		zap_flush(z);
}

static inline uint64_t look(const uint64_t *pte)
{
	return __atomic_load_n(pte, __ATOMIC_RELAXED);
}

/* ptl held, so nobody else replaces a present entry; and entries are made with their accessed bit
 * set, and dirty if writable, so no CPU writes into one either: no exchange is needed. The barrier
 * that others rely on is the flush's. */
static inline uint64_t clear_entry(uint64_t *pte)
{
	uint64_t old = look(pte);

	__atomic_store_n(pte, 0, __ATOMIC_RELEASE);
	return old;
}

/* Fast gup may read it meanwhile, and a CPU may walk it: one read-modify-write. */
static inline uint64_t clean_entry(uint64_t *pte)
{
	return __atomic_fetch_and(pte, ~(PTE_W | PTE_D), __ATOMIC_ACQ_REL);
}

/*
 * Takes away the present entry at pte and those after it whose records follow its own, as far as
 * `end`; value: the entry after these. ptl held: what is present is replaced by nobody else, so an
 * entry that was looked at is the one that is taken.
 */
static uint64_t *clear_run(struct zap *z, uint64_t *pte, const uint64_t *end)
{
	const uint64_t alike = PTE_P | PTE_DEVMAP | PTE_HEAD | PTE_PHYS;
	const uint64_t *first = pte;
	uint64_t old = clear_entry(pte++), expected = (old & alike) + PAGE_SIZE;

	if (!(old & PTE_DEVMAP)) /* the page of zeroes, whose mappings nobody counts */
		return pte;
	if (!(old & PTE_HEAD))
		for (; pte < end && (look(pte) & alike) == expected; expected += PAGE_SIZE)
			clear_entry(pte++);
	z->run[z->nr++] = (struct zap_run){pte_to_record(old), pte - first};
	return pte;
}

/* Write-protects the writable entries from pte on, up to one that is not; value: that one. */
static uint64_t *clean_run(uint64_t *pte, const uint64_t *end)
{
	const uint64_t about = PTE_P | PTE_W;

	for (; pte < end && (look(pte) & about) == about; pte++)
		clean_entry(pte);
	return pte;
}

/* Has none of the eight entries from pte on all bits of `about`? False if it is not that clear. */
static inline bool none_of_eight(const uint64_t *pte, uint64_t about)
{
	uint64_t bits = 0;

#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		bits |= look(pte + i);
	return (bits & about) != about;
}

/* The entries of one page table, of [va, end), from pte on. ptl held. */
static void zap_table(struct zap *z, uint64_t *pte, uint64_t va, uint64_t end)
{
	const uint64_t about = z->mode == ZAP_CLEAR ? PTE_P : PTE_P | PTE_W;
	const uint64_t *stop = pte + ((end - va) >> PAGE_SHIFT), *first;
	uint64_t bytes;

	for (; pte < stop; va += bytes) {
		bool step_over = (look(pte) & about) != about;

		first = pte;
		if (step_over)
			pte += pte + 8 <= stop && none_of_eight(pte, about) ? 8 : 1;
		else
			pte = z->mode == ZAP_CLEAR ? clear_run(z, pte, stop) : clean_run(pte, stop);
		bytes = (pte - first) << PAGE_SHIFT;
		if (!step_over)
			zap_changed(z, va, va + bytes, pte - first);
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
	uint64_t about = PTE_P | (museum_on(zap_takes_table) ? 0 : PTE_PS), old;

	STEP_POINT(zap_before_leaf);
	if (z->mode == ZAP_CLEAN)
		about |= PTE_W;
	if ((look(pte) & about) != about)
		return;
	old = z->mode == ZAP_CLEAR ? clear_entry(pte) : clean_entry(pte);
	if (z->mode == ZAP_CLEAR && (old & PTE_DEVMAP))
		z->run[z->nr++] = (struct zap_run){pte_to_record(old), 1};
	zap_changed(z, va, va + bytes, 1);
}

/* The museum's order. The lock goes first as well, else whoever frees the pages waits for it, and
 * so for the flush. */
static void __attribute__((noinline)) zap_end_late(struct zap *z)
{
	drop_counts(z);
	spin_unlock(&z->vma->mm->ptl);
	STEP_POINT(zap_unlocked);
	zap_flush(z);
}

/* Flush, counts, lock, in this order. ptl held, and given up. */
static void zap_end(struct zap *z)
{
	if (museum_on(count_before_flush)) {
		zap_end_late(z);
		return;
	}
	zap_flush(z);
	spin_unlock(&z->vma->mm->ptl);
	STEP_POINT(zap_unlocked);
}

uint64_t zap_vma(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode)
{
	struct zap z; /* the list of runs needs no zeroes */

	z.vma = vma;
	z.mode = mode;
	z.start = z.end = z.cleared = z.nr = 0;
	z.first = start;
	z.notified = ptl_lock_notified(vma->mm, start, end);
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
	zap_end(&z);
	if (unlikely(z.notified))
		notify_end(vma->mm, z.first, end);
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
