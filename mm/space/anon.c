/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory: pages of RAM that belong to address spaces and to no file.
 *
 * An anonymous page is a frame with a page record, so that unmapping, fork and get_user_pages treat
 * it as they treat a device's page: the entry has PTE_DEVMAP, mappings and references are counted
 * in the record. What differs is the end. All of RAM belongs to one pgmap, `ram_pgmap`, at rest 0,
 * and it is told when neither a reference nor a mapping is left: the frame is free again. So a page
 * that a device still writes outlives its mapping, and nobody has to wait for it: no file wants it
 * back.
 *
 * ram_pgmap is in no table of ranges. Who has an entry finds it through the record; asking "whose
 * pfn is this?" of RAM answers "no device's", as before. Records are made when a frame is first
 * used so, 128 at a time, and stay: the frame will be used again.
 *
 * Copy on write. PTE_OWN in an entry says that no other entry shows the page. fork clears it on
 * both sides; the store that follows looks at the count: the last one to map the page may have it,
 * others get a copy. A page with PTE_OWN is never copied by a store, however many references it
 * has, else a device would go on writing to a page that its owner has left. For the same reason
 * fork copies a page at once if it is referenced. And a pin, for reading too, is of a page with
 * PTE_OWN only: an entry without it has PTE_SLOW, so that fast gup leaves it alone, and the slow
 * path makes the page the pinner's own first, as a store would.
 */
#include "mm/device/internal.h"
#include "mm/space/internal.h"

MUSEUM(copy_unflushed, "copy-unflushed",
       "a page that a store has copied is still read through the TLBs of other CPUs; found by "
       "explore private.copy-read");

static void frame_idle(struct page *p)
{
	frame_free(page_to_phys(p), 0);
}

static const struct pgmap_ops ram_ops = {.page_idle = frame_idle};

struct pgmap ram_pgmap = {
	.type = PGMAP_RAM,
	.name = "ram",
	.mapped_holds = true,
	.ops = &ram_ops,
	.listeners = 1, /* frame_idle() frees: always to be called */
	.record_base = RECORD_BASE,
};

void anon_init(void)
{
	percpu_ref_init(&ram_pgmap.ref);
}

int64_t anon_pages(void)
{
	return percpu_ref_sum(&ram_pgmap.ref) - 1;
}

/* ---- pages and entries ---------------------------------------------------------------------- */

struct page *anon_page_new(const void *from)
{
	uint64_t phys = frame_alloc(0);

	if (phys && record_populate_ram(&ram_pgmap, phys >> PAGE_SHIFT)) {
		frame_free(phys, 0);
		phys = 0;
	}
	if (!phys)
		return NULL;
	if (from)
		memcpy(phys_to_virt(phys), from, PAGE_SIZE);
	else
		memset(phys_to_virt(phys), 0, PAGE_SIZE);
	return pfn_to_page(phys >> PAGE_SHIFT);
}

uint64_t anon_entry(const struct page *page, bool writable)
{
	return page_to_phys(page) | PTE_P | PTE_NX | PTE_A | PTE_DEVMAP | PTE_OWN |
	       (writable ? PTE_W | PTE_D : 0);
}

/* The CPU may set its accessed and dirty bits at any moment: they are no difference. */
static bool same_entry(uint64_t a, uint64_t b)
{
	return !((a ^ b) & ~(PTE_A | PTE_D));
}

uint64_t vmf_entry(const struct vm_fault *vmf)
{
	const uint64_t *pte = pte_walk(vmf->vma->mm->root, vmf->address, 1, false, NULL);

	return pte ? __atomic_load_n(pte, __ATOMIC_ACQUIRE) : 0;
}

/*
 * `fresh` takes the place of what `seen` showed. The old translation is gone from every TLB before
 * the new one can be used, else a CPU reads the old page after another one has stored to the new
 * one; and its count is dropped after that (F-15). False: the entry is not what was seen.
 */
static bool replace(struct mm *mm, uint64_t addr, uint64_t *pte, uint64_t seen, uint64_t fresh)
{
	bool notified = ptl_lock_notified(mm, addr, addr + PAGE_SIZE);
	bool same = same_entry(__atomic_load_n(pte, __ATOMIC_RELAXED), seen);

	if (same) {
		page_map_get(pte_to_page(fresh));
		if (seen & PTE_P) {
			__atomic_store_n(pte, 0, __ATOMIC_RELEASE);
			if (!museum_on(copy_unflushed))
				tlb_flush_range(mm, addr, addr + PAGE_SIZE);
		}
		__atomic_store_n(pte, fresh, __ATOMIC_RELEASE);
	}
	spin_unlock(&mm->ptl);
	if (unlikely(notified))
		notify_end(mm, addr, addr + PAGE_SIZE);
	if (same && (seen & PTE_DEVMAP))
		page_map_put(pte_to_record(seen));
	return same;
}

int vmf_insert_anon(struct vm_fault *vmf, uint64_t seen, const void *from)
{
	struct mm *mm = vmf->vma->mm;
	uint64_t *pte = pte_walk(mm->root, vmf->address, 1, true, NULL);
	struct page *page = pte ? anon_page_new(from) : NULL;

	if (!page)
		return refuse(-ENOMEM, "no memory for a %s", pte ? "page" : "page table");
	/* Somebody else was first: the access is repeated, and finds that page. */
	if (!replace(mm, vmf->address, pte, seen, anon_entry(page, vmf->vma->flags & VM_WRITE)))
		frame_idle(page);
	return 0;
}

/* Whose page it is: PTE_OWN, or nobody else maps or references it any more. ptl held. */
static bool sole_owner(uint64_t entry)
{
	uint64_t state = page_state(pte_to_page(entry));

	return (entry & PTE_OWN) || (state_maps(state) == 1 && !state_refs(state));
}

int vmf_write_anon(struct vm_fault *vmf, uint64_t seen)
{
	struct mm *mm = vmf->vma->mm;
	uint64_t *pte = pte_walk(mm->root, vmf->address, 1, false, NULL);
	struct page *shared = NULL;
	int err = 0;

	spin_lock(&mm->ptl);
	if (same_entry(__atomic_load_n(pte, __ATOMIC_RELAXED), seen)) {
		if (sole_owner(seen)) {
			__atomic_fetch_or(pte, PTE_W | PTE_D | PTE_OWN, __ATOMIC_ACQ_REL);
			__atomic_fetch_and(pte, ~PTE_SLOW, __ATOMIC_RELEASE);
			tlb_flush_page_local(vmf->address);
		} else {
			shared = pte_to_page(seen);
			page_get(shared, 1); /* it is mapped; stays while it is copied */
		}
	}
	spin_unlock(&mm->ptl);
	if (shared) {
		err = vmf_insert_anon(vmf, seen, phys_to_virt(seen & PTE_PHYS));
		page_put(shared, 1);
	}
	return err;
}

/* ---- mappings of nothing but such pages ------------------------------------------------------ */

/* Reading what was never stored to gets a page of its own, too: the store that usually follows
 * needs no second fault, and get_user_pages finds a record. */
static int anon_fault(struct vm_fault *vmf)
{
	uint64_t seen = vmf_entry(vmf);

	if (!(seen & PTE_P))
		return vmf_insert_anon(vmf, seen, NULL);
	return vmf->write ? vmf_write_anon(vmf, seen) : 0;
}

static void anon_describe(const struct vma *vma, char *buf, unsigned n)
{
	snprintf(buf, n, "anonymous, %s", SIZE_TEXT(vma->end - vma->start));
}

static const struct vma_ops anon_vma_ops = {.fault = anon_fault, .describe = anon_describe};

int mm_map_anon(struct mm *mm, uint64_t *addr, uint64_t len, bool write)
{
	return mm_map(mm, addr, len, VM_READ | VM_PRIVATE | VM_MAYWRITE | (write ? VM_WRITE : 0),
		      &anon_vma_ops, NULL, NULL, 0);
}

/* ---- private mappings of files: which of their pages are copies --------------------------- */

/* End of the run of pages from `va` on that are no copies. What has no table is stepped over whole.
 */
static uint64_t copies_begin(struct vma *vma, uint64_t va, uint64_t end)
{
	while (va < end) {
		unsigned level;
		const uint64_t *pte = pte_walk(vma->mm->root, va, 1, false, &level);
		uint64_t span = PAGE_SIZE << (9 * (pte ? 0 : level - 1));

		if (pte && pte_is_anon(__atomic_load_n(pte, __ATOMIC_ACQUIRE)))
			break;
		va = ALIGN_DOWN(va, span) + span;
	}
	return MIN(va, end);
}

uint64_t zap_private(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode)
{
	uint64_t cleared = 0;

	if (mode == ZAP_CLEAN) /* pages of the file are never writable here */
		return 0;
	for (; start < end; start += PAGE_SIZE) { /* over the copy that ended the run */
		uint64_t run = copies_begin(vma, start, end);

		if (start < run)
			cleared += zap_vma(vma, start, run, mode);
		start = run;
	}
	return cleared;
}

uint64_t unmap_mapping_copies(struct mapping *m, uint64_t first, uint64_t last)
{
	uint64_t cleared = 0;
	struct vma *vma;

	down_read(&m->i_mmap_lock);
	LIST_FOREACH (vma, &m->vmas, i_mmap) {
		uint64_t pages = (vma->end - vma->start) >> PAGE_SHIFT;
		uint64_t from = MAX(first, vma->pgoff), to = MIN(last, vma->pgoff + pages);

		if ((vma->flags & VM_PRIVATE) && from < to)
			cleared +=
				zap_vma(vma, vma->start + ((from - vma->pgoff) << PAGE_SHIFT),
					vma->start + ((to - vma->pgoff) << PAGE_SHIFT), ZAP_CLEAR);
	}
	up_read(&m->i_mmap_lock);
	return cleared;
}
