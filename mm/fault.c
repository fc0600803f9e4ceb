/* SPDX-License-Identifier: MIT */
/*
 * Page faults: from an address to the VMA's handler, and from its answer to a page-table entry.
 *
 * A fault is a question to the file layer ("which frame shows this page?"). Answering may sleep, so
 * only a fault that happened where sleeping is allowed is taken: with interrupts and preemption on.
 */
#include "mm/internal.h"

static int refuse(const char **why, int err, const char *sentence)
{
	*why = sentence;
	return err;
}

/* mmap_lock held for reading. */
int mm_fault_locked(struct mm *mm, uint64_t addr, bool write, const char **why)
{
	struct vma *vma = mm_find_vma(mm, addr);
	struct vm_fault vmf = {.vma = vma, .address = ALIGN_DOWN(addr, PAGE_SIZE), .write = write};
	int err;

	if (!vma)
		return refuse(why, -EFAULT, "nothing is mapped at this address");
	if (write && !(vma->flags & VM_WRITE))
		return refuse(why, -EFAULT, "the mapping is read-only; map it writable to store");
	vmf.pgoff = vma->pgoff + ((vmf.address - vma->start) >> PAGE_SHIFT);
	err = vma->ops->fault(&vmf);
	if (err)
		*why = vmf.why ? vmf.why : "the file layer refused";
	return err;
}

int mm_fault(struct mm *mm, uint64_t addr, bool write, const char **why)
{
	int err;

	down_read(&mm->mmap_lock);
	err = mm_fault_locked(mm, addr, write, why);
	up_read(&mm->mmap_lock);
	return err;
}

const char *mm_fault_reason(void)
{
	const char *why = current_thread()->fault_why;

	return why ? why : "";
}

/* Each per-CPU word by one load: this_cpu() could be another CPU's before it is used, since the
 * fault runs with interrupts on. */
static bool may_sleep_at(const struct trap_frame *tf)
{
	return (tf->rflags & (1u << 9)) && !in_interrupt() && !((struct cpu __seg_gs *)0)->preempt;
}

static bool page_fault(struct trap_frame *tf, uint64_t addr)
{
	struct mm *mm = current_mm();
	const char *why = "";

	if (addr >= USER_END || !mm || !may_sleep_at(tf) || (tf->error & PF_FETCH))
		return false;
	if (!mm_fault(mm, addr, tf->error & PF_WRITE, &why))
		return true;
	current_thread()->fault_why = why;
	return false;
}

/* The entry for one page; a stale translation may exist only where less was allowed before. */
static uint64_t make_entry(uint64_t pfn, uint64_t kind, bool writable)
{
	return pfn << PAGE_SHIFT | kind | PTE_P | PTE_NX | PTE_A | (writable ? PTE_W | PTE_D : 0);
}

/* One more mapping of the page; PTE_HEAD if another record than its own counts it. */
static uint64_t count_mapping(struct page *page)
{
	return page_map_get_head(page) == page ? 0 : PTE_HEAD;
}

/* Puts `entry` at the fault's address. ptl is taken; the caller holds the entry lock, so that of
 * several faults on one file page only one is here. */
static int set_entry(struct vm_fault *vmf, uint64_t entry)
{
	struct mm *mm = vmf->vma->mm;
	uint64_t *pte = pte_leaf(mm->root, vmf->address);
	uint64_t old;

	if (unlikely(!pte) && !(pte = pte_walk(mm->root, vmf->address, 1, true, NULL)))
		return -ENOMEM;
	spin_lock(&mm->ptl);
	old = __atomic_load_n(pte, __ATOMIC_RELAXED);
	if ((old & PTE_P) && ((old ^ entry) & (PTE_PHYS | PTE_DEVMAP)) == 0)
		entry |= old & (PTE_W | PTE_HEAD); /* never take a right away here */
	else if (entry & PTE_DEVMAP)
		entry |= count_mapping(pte_page(entry));
	ASSERT(!(old & PTE_DEVMAP) || ((old ^ entry) & PTE_PHYS) == 0,
	       "address 0x%lx shows pfn 0x%lx, and a fault brings pfn 0x%lx: the old entry was not "
	       "unmapped before its block changed (invariant I6)",
	       vmf->address, (old & PTE_PHYS) >> PAGE_SHIFT, (entry & PTE_PHYS) >> PAGE_SHIFT);
	__atomic_store_n(pte, entry, __ATOMIC_RELEASE);
	/* The zero page gave way to a block: others may still read zeroes through their TLB. */
	if ((old & PTE_P) && ((old ^ entry) & PTE_PHYS))
		tlb_flush_range(mm, vmf->address, vmf->address + PAGE_SIZE);
	else if (old & PTE_P)
		tlb_flush_page_local(vmf->address);
	spin_unlock(&mm->ptl);
	return 0;
}

int vmf_insert_pfn(struct vm_fault *vmf, uint64_t pfn, bool writable)
{
	return set_entry(vmf, make_entry(pfn, PTE_DEVMAP, writable));
}

int vmf_insert_zero(struct vm_fault *vmf)
{
	static uint64_t zero_page;
	uint64_t none = 0, phys = __atomic_load_n(&zero_page, __ATOMIC_ACQUIRE);

	if (!phys) {
		phys = frame_alloc_zero();
		if (!phys)
			return -ENOMEM;
		if (!__atomic_compare_exchange_n(&zero_page, &none, phys, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE)) {
			frame_free(phys, 0);
			phys = none;
		}
	}
	return set_entry(vmf, make_entry(phys >> PAGE_SHIFT, PTE_SPECIAL, false));
}

void faults_init(void)
{
	thread_set_mm_switch(mm_switch);
	trap_set_page_fault(page_fault);
}
