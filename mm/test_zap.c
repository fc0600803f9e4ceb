/* SPDX-License-Identifier: MIT */
/* Self-test: taking translations away while a fault beside them makes a page table. */
#include "mm/internal.h"

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
