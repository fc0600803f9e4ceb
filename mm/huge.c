/* SPDX-License-Identifier: MIT */
/*
 * Entries of 2 MiB and 1 GiB in an address space: putting them in, and taking references through
 * them.
 *
 * A large entry stands where a table of smaller ones would be. Unmapping leaves tables behind, so a
 * range that was once mapped by small pages has an empty table in the way; it is freed here. That
 * is the only moment at which a table of a living address space goes, and its rule is: cleared
 * entry  →  flush, acknowledged by every CPU that runs the address space  →  free. Whoever walks
 * without the page-table lock has interrupts off, and so does not acknowledge before it is out
 * (fast gup), or holds mmap_lock and walks to a place of its own: the VMA that gets the large entry
 * covers the whole range, and its faults there are serialised by the entry's lock.
 *
 * One reference or mapping of a large entry is one count on one record, whatever its size: the head
 * of the folio, or the compound's record (page.h).
 */
#include "mm/internal.h"

STEP_POINT_DECLARE(gup_fast_before_leaf_ref);

static bool table_is_empty(uint64_t phys, unsigned level)
{
	const uint64_t *entry = phys_to_virt(phys);

	for (unsigned i = 0; i < 512; i++) {
		uint64_t e = __atomic_load_n(&entry[i], __ATOMIC_ACQUIRE);

		if (!e)
			continue;
		if (level == 1 || (e & PTE_PS) || !table_is_empty(e & PTE_PHYS, level - 1))
			return false;
	}
	return true;
}

/* Takes an empty table out of *entry, which covers `bytes` from va on. ptl held. */
static void drop_table(struct mm *mm, uint64_t *entry, uint64_t va, unsigned level)
{
	uint64_t old = __atomic_exchange_n(entry, 0, __ATOMIC_ACQ_REL);

	tlb_flush_range(mm, va, va + level_bytes(level));
	pte_free_table(old & PTE_PHYS, level - 1);
}

/* ptl held. The mapping is counted if it is a new one. */
static int set_leaf(struct vm_fault *vmf, uint64_t *pte, unsigned level, uint64_t entry,
		    struct page *record)
{
	uint64_t va = ALIGN_DOWN(vmf->address, level_bytes(level));
	uint64_t old = __atomic_load_n(pte, __ATOMIC_ACQUIRE);

	if ((old & (PTE_P | PTE_PS)) == PTE_P) {
		if (!table_is_empty(old & PTE_PHYS, level - 1))
			return -EEXIST;
		drop_table(vmf->vma->mm, pte, va, level);
		old = 0;
	}
	ASSERT(!old || ((old ^ entry) & PTE_PHYS) == 0,
	       "address 0x%lx shows pfn 0x%lx, and a fault brings pfn 0x%lx: the old entry was not "
	       "unmapped before its blocks changed (invariant I6)",
	       va, (old & PTE_PHYS) >> PAGE_SHIFT, (entry & PTE_PHYS) >> PAGE_SHIFT);
	if (old)
		entry |= old & PTE_W; /* never take a right away here */
	else
		page_map_get(record);
	__atomic_store_n(pte, entry, __ATOMIC_RELEASE);
	if (old)
		tlb_flush_page_local(va);
	return 0;
}

static int insert(struct vm_fault *vmf, struct page *record, unsigned level, uint64_t kind,
		  bool writable)
{
	uint64_t pfn = page_to_pfn(record);
	const uint64_t entry = pfn << PAGE_SHIFT | kind | PTE_DEVMAP | PTE_P | PTE_PS | PTE_NX |
			       PTE_A | (writable ? PTE_W | PTE_D : 0);
	struct mm *mm = vmf->vma->mm;
	uint64_t *pte = pte_walk(mm->root, vmf->address, level, true, NULL);
	int err;

	ASSERT(IS_ALIGNED(pfn << PAGE_SHIFT, level_bytes(level)),
	       "pfn 0x%lx cannot begin an entry of level %u", pfn, level);
	if (!pte)
		return -ENOMEM;
	spin_lock(&mm->ptl);
	err = set_leaf(vmf, pte, level, entry, record);
	spin_unlock(&mm->ptl);
	return err;
}

int vmf_insert_pmd(struct vm_fault *vmf, uint64_t pfn, bool writable)
{
	return insert(vmf, pfn_to_page(pfn), 2, 0, writable);
}

int vmf_insert_compound(struct vm_fault *vmf, struct page *record, unsigned level, bool writable)
{
	return insert(vmf, record, level, PTE_HEAD | PTE_COMPOUND, writable);
}

/* The names of n neighbours. */
static void name_pages(struct page **pages, struct page *first, unsigned long n)
{
#pragma GCC unroll 8
	for (unsigned long i = 0; i < n; i++)
		pages[i] = first + i;
}

/* All references at once, then the second look at the entry: the same order as for one page. */
unsigned long gup_fast_leaf(const struct mm *mm, uint64_t addr, unsigned long nr, uint64_t need,
			    struct page **pages)
{
	unsigned level;
	const uint64_t *pte = pte_lowest(mm->root, addr, &level);
	uint64_t e = __atomic_load_n(pte, __ATOMIC_ACQUIRE);
	uint64_t skip = (addr & (level_bytes(level) - 1)) >> PAGE_SHIFT;
	unsigned long n = MIN(nr, (level_bytes(level) >> PAGE_SHIFT) - skip);
	struct page *record;

	if (level == 1 || (e & (need | PTE_PS)) != (need | PTE_PS))
		return 0;
	record = pte_record(e);
	STEP_POINT(gup_fast_before_leaf_ref);
	if (!page_get(record, n))
		return 0;
	/* References before the second look, as in fast_table(). */
	if (unlikely(__atomic_load_n(pte, __ATOMIC_ACQUIRE) != e) && !gup_keep_anyway(record, n))
		return 0;
	name_pages(pages, pte_page(e) + skip, n);
	return n;
}
