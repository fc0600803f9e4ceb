/* SPDX-License-Identifier: MIT */
/* Self-tests: taking translations away while a fault beside them makes a page table, how many
 * flushes that takes, that the flush reaches the CPU that needs it, and which lock is held still.
 */
#include "mm/device/internal.h"
#include "mm/tables/internal.h"

struct beside {
	struct mm *mm;
	uint64_t va;   /* in the same 2 MiB as the range that is zapped */
	uint64_t *pte; /* its entry, in the new table; NULL: the step point was not passed */
};

/* What a fault at beside->va does before it takes the page-table lock. */
static void make_table(void *arg)
{
	struct beside *b = arg;

	b->pte = pte_walk(b->mm->root, b->va, 1, true, NULL);
}

/* Zaps one page at `va`, where nothing is mapped; the neighbour's table comes in between. */
static int zap_with_neighbour(struct beside *b, uint64_t va)
{
	struct vma *vma = mm_find_vma(b->mm, va);
	int err;

	preempt_disable();
	err = step_arm("zap_before_leaf", make_table, b);
	if (!err)
		zap_vma(vma, va, va + PAGE_SIZE, ZAP_CLEAR);
	step_disarm();
	preempt_enable();
	return err;
}

static void store_in(struct mm *mm, uint64_t va)
{
	struct mm *old = current_mm();

	if (old)
		mm_get(old);
	mm_use(mm);
	*(volatile char *)va = 'x';
	mm_use(old);
	if (old)
		mm_put(old);
}

SELFTEST(space_zap_spares_table, "space.zap-spares-table",
	 "zap found nothing of 2 MiB, a fault beside it makes a table there: zap leaves it alone")
{
	struct mm *mm;
	uint64_t va = 0, *pte;
	struct beside b = {0};
	int err;

	mm = mm_create("zap");
	EXPECT(mm, "no memory for an address space");
	b.mm = mm;
	err = mm_map_anon(mm, &va, PAGE_SIZE, true);
	if (!err)
		err = mm_map_anon(mm, &b.va, PAGE_SIZE, true);
	EXPECT_OR(out, !err && va / PMD_SIZE == b.va / PMD_SIZE,
		  "error %d; 0x%lx and 0x%lx must lie in one 2 MiB", err, va, b.va);
	err = zap_with_neighbour(&b, va);
	EXPECT_OR(out, !err && b.pte, "the step point zap_before_leaf: error %d, %s", err,
		  b.pte ? "passed" : "not passed");
	store_in(mm, b.va); /* the fault goes on, with its table or with another one */
	pte = pte_walk(mm->root, b.va, 1, false, NULL);
	EXPECT_OR(out, pte == b.pte && (*pte & PTE_P),
		  "the table of the fault beside the range was lost, with its entry in it");
out:
	mm_put(mm);
}

SELFTEST(tlb_one_flush, "tlb.one-flush",
	 "pages that do not lie side by side are unmapped with one flush")
{
	struct mm *mm = mm_create("zap");
	unsigned long before = 0, flushes = 0;
	uint64_t va = 0, cleared = 0;
	int err;

	EXPECT(mm, "no memory for an address space");
	err = mm_map_anon(mm, &va, 5 * PAGE_SIZE, true);
	if (!err) {
		for (unsigned i = 0; i < 5; i += 2)
			store_in(mm, va + i * PAGE_SIZE);
		before = tlb_flushes;
		cleared = zap_vma(mm_find_vma(mm, va), va, va + 5 * PAGE_SIZE, ZAP_CLEAR);
		flushes = tlb_flushes - before;
	}
	mm_put(mm);
	EXPECT(!err && cleared == 3 && flushes == 1, "error %d, %lu cleared, %lu flushes", err,
	       cleared, flushes);
}

static struct elsewhere {
	struct mm *mm;
	unsigned there, go;
	unsigned long asked; /* IPIs that the flush sent */
	bool came;
} elsewhere;

/* Runs in the address space, on its CPU, until the flush is over. */
static void stay(void)
{
	mm_use(elsewhere.mm);
	preempt_disable();
	__atomic_store_n(&elsewhere.there, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&elsewhere.go, __ATOMIC_ACQUIRE))
		cpu_pause();
	preempt_enable();
	mm_use(NULL);
}

static void flush(void)
{
	unsigned long before;

	elsewhere.came = comes_true(&elsewhere.there, 1);
	before = __atomic_load_n(&ipi_sent, __ATOMIC_RELAXED);
	tlb_flush_range(elsewhere.mm, PAGE_SIZE, 2 * PAGE_SIZE);
	elsewhere.asked = __atomic_load_n(&ipi_sent, __ATOMIC_RELAXED) - before;
	__atomic_store_n(&elsewhere.go, 1, __ATOMIC_RELEASE);
}

static void stay_or_flush(void *unused)
{
	(void)unused;
	if (cpu_id())
		stay();
	else
		flush();
}

SELFTEST(tlb_asks_the_other, "tlb.asks-the-other",
	 "a flush interrupts the CPU that runs the address space when the flushing one does not")
{
	struct gang gang;
	bool started;

	if (nr_cpus < 2)
		SKIP("needs two CPUs (SMP=2)");
	memset(&elsewhere, 0, sizeof(elsewhere));
	elsewhere.mm = mm_create("elsewhere");
	EXPECT(elsewhere.mm, "no memory for an address space");
	started = gang_start(&gang, 2, stay_or_flush, NULL, true);
	if (started)
		gang_join(&gang);
	mm_put(elsewhere.mm);
	EXPECT(started && elsewhere.came, "no memory for two threads, or one did not come to run");
	EXPECT(elsewhere.asked == 1, "%lu IPIs, not 1", elsewhere.asked);
}

/* ---- the order of an end --------------------------------------------------------------------- */

static struct told {
	struct mm *mm;
	unsigned long flushes;		 /* before */
	unsigned times, locked, flushed; /* the owner was told; with the page-table lock held;
					  * with no CPU that still reaches the page */
} told;

static void note_lock(struct page *p)
{
	(void)p;
	told.times++;
	told.locked += spin_held(&told.mm->ptl);
	told.flushed += tlb_flushes != told.flushes;
}
static const struct pgmap_ops told_ops = {.page_idle = note_lock};

static int fault_in_fake(struct vm_fault *vmf)
{
	return vmf_insert_pfn(vmf, page_to_pfn(vmf->vma->private), true);
}
static const struct vma_ops fake_ops = {.fault = fault_in_fake};

/* Maps the device's page, touches it, and takes the translation away again. 0 or errno. */
static int map_and_zap(struct page *page, uint64_t *cleared)
{
	struct mm *mm = mm_create("zap");
	struct page *p;
	uint64_t va = 0;
	int err;

	if (!mm)
		return -ENOMEM;
	told = (struct told){.mm = mm};
	err = mm_map(mm, &va, PAGE_SIZE, VM_READ | VM_WRITE | VM_SHARED, &fake_ops, page, NULL, 0);
	if (!err)
		err = get_user_pages(mm, va, 1, FOLL_GET | FOLL_WRITE, &p) == 1 ? 0 : -EFAULT;
	if (!err) {
		put_user_pages(&p, 1);
		told.flushes = tlb_flushes;
		*cleared = zap_vma(mm_find_vma(mm, va), va, va + PAGE_SIZE, ZAP_CLEAR);
	}
	mm_put(mm);
	return err;
}

SELFTEST(zap_end_order, "space.zap-flush-count-unlock",
	 "the owner of an unmapped page hears of it when it is flushed, and while the page-table "
	 "lock still keeps everybody else from that entry")
{
	static struct pgmap pgmap;
	uint64_t cleared = 0;
	struct page *page;
	int err = fake_bound(&pgmap, 0, &told_ops, &page);

	EXPECT(!err, "error %d", err);
	pgmap.mapped_holds = true;
	pgmap_listen(&pgmap);
	err = map_and_zap(page, &cleared);
	memunmap_pages(&pgmap);
	EXPECT(!err && cleared == 1, "error %d, %lu cleared", err, cleared);
	EXPECT(told.times == 1 && told.locked == 1 && told.flushed == 1,
	       "told %u times, with the lock held %u times, flushed %u times", told.times,
	       told.locked, told.flushed);
}
