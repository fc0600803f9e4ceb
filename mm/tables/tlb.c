/* SPDX-License-Identifier: MIT */
/*
 * TLB shootdown: after a page-table entry was taken away, no CPU may go on using its copy.
 *
 * Only CPUs that run the address space can hold its entries (a switch away reloads CR3, which drops
 * them), and mm->active says which do. A CPU may switch in meanwhile: either we see its bit and
 * interrupt it, or it sees the cleared entry. tlb_flush_range() has the order that makes it so.
 */
#include "mm/mm.h"
#include "mm/tables/internal.h"

/*
 * FLUSH_ALL_ABOVE pages; beyond this everything is flushed. Measured by `bench tlb.*` without
 * -icount, in ns (QEMU 7.2, TCG, least of three runs):
 *
 *     tlb.page        100	one INVLPG
 *     tlb.all	     2 050	one load of CR3
 *     tlb.refill	72	a load whose translation has to be found again
 *     tlb.load		 2	the same load with its translation there
 *
 * Flushing everything costs tlb.all, and 70 for each translation that was still wanted: 20 pages'
 * worth if none was, 65 if 64 were. 64 it is: stack, heap, file metadata and the rest of a mapping
 * in use are about that many, and it is the run that fsync write-protects at a time.
 */
_Static_assert(FLUSH_ALL_ABOVE == 64, "measured as above");

MUSEUM(flush_here_only, "flush-here-only",
       "a flush asks no other CPU to forget; shown by selftest tlb.asks-the-other and selftest "
       "space.protect-everywhere");
MUSEUM(flush_ends_early, "flush-ends-early",
       "a flush on other CPUs leaves the last page of its range out; shown by selftest "
       "space.protect-everywhere");
MUSEUM_EXPLORED(flush_unfenced, "flush-unfenced",
		"the mask of CPUs is read while the cleared entry is still in the store buffer; "
		"found by explore tlb.switch-flush model=tso");

STEP_POINT_DECLARE(tlb_forgets);

unsigned long tlb_flushes;

struct flush {
	struct mm *mm;
	uint64_t start, end;
};

static inline void flush_local(void *arg)
{
	const struct flush *f = arg;

	STEP_POINT(tlb_forgets);
	/* LAB 07 forget: what a CPU that was asked forgets */
	if (this_cpu()->mm != f->mm)
		return; /* switched away meanwhile: CR3 was reloaded, nothing is left */
	if ((f->end - f->start) >> PAGE_SHIFT > FLUSH_ALL_ABOVE) {
		tlb_flush_all_local();
		return;
	}
	for (uint64_t va = f->start; va < f->end; va += PAGE_SIZE)
		tlb_flush_page_local(va);
	/* END */
}

static void flush_others(uint32_t mask, struct flush *f)
{
	if (museum_on(flush_here_only))
		mask &= 1u << cpu_id();
	if (museum_on(flush_ends_early))
		f->end -= PAGE_SIZE;
	if (mask)
		cpu_call(mask, flush_local, f);
}

void tlb_flush_range(struct mm *mm, uint64_t start, uint64_t end)
{
	/* LAB 07 whom: which CPUs are asked, and when that is looked up */
	struct flush f = {mm, start, end};
	uint32_t mask;

	if (start >= end)
		return;
	if (!museum_explored(flush_unfenced)) /* it is a locked instruction, so a fence as well */
		__atomic_fetch_add(&tlb_flushes, 1, __ATOMIC_RELAXED);
	preempt_disable();
	if (!museum_explored(flush_unfenced))
		smp_mb(); /* cleared entries before the mask, else we miss a CPU that sets its
			     bit, loads CR3 and still finds them */
	mask = __atomic_load_n(&mm->active, __ATOMIC_ACQUIRE);
	if (mask == 1u << cpu_id())
		flush_local(&f);
	else if (mask)
		flush_others(mask, &f);
	preempt_enable();
	/* END */
}
