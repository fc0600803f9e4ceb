/* SPDX-License-Identifier: MIT */
/*
 * Entries of 2 MiB and 1 GiB in an address space: putting them in.
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
#include "mm/frames/internal.h"
#include "mm/tables/internal.h"

MUSEUM_EXPLORED(
	table_freed_early, "table-freed-early",
	"a table that gives way to 2 MiB is freed before every CPU was flushed: fast gup is "
	"in it still; found by explore huge.table-walk");

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

	mm->walked_for = 0; /* it may be the one, or above it */
	if (museum_explored(table_freed_early))
		pte_free_table(old & PTE_PHYS, level - 1);
	tlb_flush_range(mm, va, va + level_bytes(level));
	if (!museum_explored(table_freed_early))
		pte_free_table(old & PTE_PHYS, level - 1);
}

/* Puts `entry` in the place of what is there. ptl held. The mapping is counted if it is a new one,
 * on `record`, which zeroes (NULL) have not. */
static int __attribute__((noinline))
replace_leaf(struct vm_fault *vmf, uint64_t *pte, unsigned level, uint64_t entry,
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
	ASSERT(!(old & PTE_DEVMAP) || ((old ^ entry) & PTE_PHYS) == 0,
	       "address 0x%lx shows pfn 0x%lx, and a fault brings pfn 0x%lx: the old entry was not "
	       "unmapped before its blocks changed (invariant I6)",
	       va, pte_to_pfn(old), pte_to_pfn(entry));
	if (old & PTE_DEVMAP)
		entry |= old & PTE_W; /* never take a right away here */
	else if (record)
		page_map_get(record);
	__atomic_store_n(pte, entry, __ATOMIC_RELEASE);
	/* Zeroes gave way to blocks: others may still read them through their TLB. */
	if (old && ((old ^ entry) & PTE_PHYS))
		tlb_flush_range(vmf->vma->mm, va, va + level_bytes(level));
	else if (old)
		tlb_flush_page_local(va);
	return 0;
}

static inline __attribute__((always_inline)) int insert(struct vm_fault *vmf, uint64_t pfn,
							struct page *record, bool folio,
							unsigned level, uint64_t kind,
							bool writable)
{
	const uint64_t entry = pfn << PAGE_SHIFT | kind | PTE_P | PTE_PS | PTE_NX | PTE_A |
			       (writable ? PTE_W | PTE_D : 0);
	struct mm *mm = vmf->vma->mm;
	uint64_t *pte = pte_large(mm->root, vmf->address, level);
	int err = 0;

	ASSERT(IS_ALIGNED(pfn << PAGE_SHIFT, level_bytes(level)),
	       "pfn 0x%lx cannot begin an entry of level %u", pfn, level);
	if (unlikely(!pte) && !(pte = pte_walk(mm->root, vmf->address, level, true, NULL)))
		return -ENOMEM;
	spin_lock(&mm->ptl);
	if (folio && unlikely(!(page_state(record) & PAGE_FOLIO))) {
		/* A page of it that is put would be looked for in its own record. */
		err = -EEXIST;
	} else if (unlikely(__atomic_load_n(pte, __ATOMIC_RELAXED))) {
		err = replace_leaf(vmf, pte, level, entry, record);
	} else {
		if (record)
			map_get(record);
		__atomic_store_n(pte, entry, __ATOMIC_RELEASE);
	}
	spin_unlock(&mm->ptl);
	return err;
}

int vmf_insert_pmd(struct vm_fault *vmf, uint64_t pfn, bool writable)
{
	return insert(vmf, pfn, pfn_to_page(pfn), true, 2, PTE_DEVMAP | vma_slow_bit(vmf->vma),
		      writable);
}

int vmf_insert_zero_pmd(struct vm_fault *vmf)
{
	uint64_t phys = zero_frames(2);

	return phys ? insert(vmf, phys >> PAGE_SHIFT, NULL, false, 2, PTE_SPECIAL, false) : -ENOMEM;
}

int vmf_insert_compound(struct vm_fault *vmf, struct page *record, unsigned level, bool writable)
{
	const uint64_t kind = PTE_DEVMAP | PTE_HEAD | PTE_COMPOUND | vma_slow_bit(vmf->vma);
	uint64_t pfn = page_to_pfn(record);

	return level == 2 ? insert(vmf, pfn, record, false, 2, kind, writable)
			  : insert(vmf, pfn, record, false, 3, kind, writable);
}
