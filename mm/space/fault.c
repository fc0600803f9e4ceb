/* SPDX-License-Identifier: MIT */
/*
 * Page faults: from an address to the VMA's handler, and from its answer to a page-table entry.
 *
 * A fault is a question to the file layer ("which frame shows this page?"). Answering may sleep, so
 * only a fault that happened where sleeping is allowed is taken: with interrupts and preemption on.
 */
#include "mm/frames/internal.h"
#include "mm/tables/internal.h"
#include "mm/space/internal.h"

/* mmap_lock held for reading. */
static inline __attribute__((always_inline)) int handle(struct mm *mm, uint64_t addr, bool write)
{
	struct vma *vma = mm_find_vma(mm, addr);
	struct vm_fault vmf;

	if (unlikely(!vma))
		return refuse(-EFAULT, "nothing is mapped at this address");
	if (unlikely(write && !(vma->flags & VM_WRITE)))
		return refuse(-EFAULT, "the mapping is read-only; map it writable to store");
	vmf.vma = vma;
	vmf.address = ALIGN_DOWN(addr, PAGE_SIZE);
	vmf.pgoff = vma->pgoff + ((vmf.address - vma->start) >> PAGE_SHIFT);
	vmf.write = write;
	return vma->ops->fault(&vmf);
}

int mm_fault_locked(struct mm *mm, uint64_t addr, bool write)
{
	return handle(mm, addr, write);
}

static inline __attribute__((always_inline)) int lock_and_handle(struct mm *mm, uint64_t addr,
								 bool write)
{
	int err;

	down_read_may_sleep(&mm->mmap_lock);
	err = handle(mm, addr, write);
	up_read(&mm->mmap_lock);
	return err;
}

int mm_fault(struct mm *mm, uint64_t addr, bool write)
{
	might_sleep();
	return lock_and_handle(mm, addr, write);
}

/* One load of this CPU's words: this_cpu() could be another CPU's before it is used, since the
 * fault runs with interrupts on. */
static bool may_sleep_at(const struct trap_frame *tf)
{
	return (tf->rflags & (1u << 9)) && !CPU_GET(not_preemptible);
}

static bool page_fault(struct trap_frame *tf, uint64_t addr)
{
	struct mm *mm = current_thread()->mm;

	if (unlikely(addr >= USER_END || !mm || !may_sleep_at(tf) || (tf->error & PF_FETCH)))
		return false;
	return !lock_and_handle(mm, addr, tf->error & PF_WRITE);
}

/* The entry for one page; a stale translation may exist only where less was allowed before. */
static inline uint64_t make_pte(uint64_t pfn, uint64_t kind, bool writable)
{
	return pfn << PAGE_SHIFT | kind | PTE_P | PTE_NX | PTE_A | (writable ? PTE_W | PTE_D : 0);
}

/* One more mapping of the page; PTE_HEAD if another record than its own counts it. */
static inline uint64_t count_mapping(struct page *page)
{
	if (unlikely(page_to_record(page) != page))
		return page_map_get_counted(page) == page ? 0 : PTE_HEAD;
	map_get(page);
	return 0;
}

/* Puts `entry` in the place of `old`, which is not zero. ptl held. */
static void __attribute__((noinline))
replace_entry(struct vm_fault *vmf, uint64_t *pte, uint64_t old, uint64_t entry)
{
	if ((old & PTE_P) && ((old ^ entry) & (PTE_PHYS | PTE_DEVMAP)) == 0)
		entry |= old & (PTE_W | PTE_HEAD); /* never take a right away here */
	else if (entry & PTE_DEVMAP)
		entry |= count_mapping(pfn_to_page(pte_to_pfn(entry)));
	ASSERT(!(old & PTE_DEVMAP) || ((old ^ entry) & PTE_PHYS) == 0,
	       "address 0x%lx shows pfn 0x%lx, and a fault brings pfn 0x%lx: the old entry was not "
	       "unmapped before its block changed (invariant I6)",
	       vmf->address, pte_to_pfn(old), pte_to_pfn(entry));
	__atomic_store_n(pte, entry, __ATOMIC_RELEASE);
	/* The zero page gave way to a block: others may still read zeroes through their TLB. */
	if ((old & PTE_P) && ((old ^ entry) & PTE_PHYS))
		tlb_flush_range(vmf->vma->mm, vmf->address, vmf->address + PAGE_SIZE);
	else if (old & PTE_P)
		tlb_flush_page_local(vmf->address);
}

/* Makes the page table for va the one that is remembered. False: no memory for it. ptl held. */
static bool __attribute__((noinline)) walk(struct mm *mm, uint64_t va)
{
	uint64_t *pte = pte_walk(mm->root, va, 1, true, NULL);

	if (!pte)
		return false;
	mm->walked = (uint64_t *)ALIGN_DOWN((uint64_t)pte, PAGE_SIZE);
	mm->walked_for = va | (PMD_SIZE - 1);
	return true;
}

/* Puts `entry` at the fault's address. ptl is taken; the caller holds the entry lock, so that of
 * several faults on one file page only one is here. */
static inline __attribute__((always_inline)) int set_entry(struct vm_fault *vmf, uint64_t entry)
{
	struct mm *mm = vmf->vma->mm;
	uint64_t *pte, old;

	/* LAB 03 show: under the lock of the tables, in the place of whatever stands there */
	spin_lock(&mm->ptl);
	if (unlikely((vmf->address | (PMD_SIZE - 1)) != mm->walked_for) &&
	    !walk(mm, vmf->address)) {
		spin_unlock(&mm->ptl);
		return -ENOMEM;
	}
	pte = &mm->walked[vmf->address >> PAGE_SHIFT & 511];
	old = __atomic_load_n(pte, __ATOMIC_RELAXED);
	if (unlikely(old)) {
		replace_entry(vmf, pte, old, entry);
	} else {
		if (entry & PTE_DEVMAP)
			entry |= count_mapping(pfn_to_page(pte_to_pfn(entry)));
		__atomic_store_n(pte, entry, __ATOMIC_RELEASE);
	}
	spin_unlock(&mm->ptl);
	return 0;
	/* END */
}

int vmf_insert_pfn(struct vm_fault *vmf, uint64_t pfn, bool writable)
{
	return set_entry(vmf, make_pte(pfn, PTE_DEVMAP | vma_slow_bit(vmf->vma), writable));
}

int vmf_insert_special(struct vm_fault *vmf, uint64_t pfn, bool writable)
{
	return set_entry(vmf, make_pte(pfn, PTE_SPECIAL, writable));
}

int vmf_insert_zero(struct vm_fault *vmf)
{
	unsigned level;
	uint64_t phys = zero_frames(1);
	const uint64_t *entry = pte_lowest(vmf->vma->mm->root, vmf->address, &level);
	uint64_t seen = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

	/* Another thread may have put 2 MiB of zeroes there since the exception: as good. */
	if (level > 1 && (seen & PTE_PS))
		return 0;
	return phys ? set_entry(vmf, make_pte(phys >> PAGE_SHIFT, PTE_SPECIAL, false)) : -ENOMEM;
}

void faults_init(void)
{
	thread_set_mm_switch(mm_switch);
	trap_set_page_fault(page_fault);
}
