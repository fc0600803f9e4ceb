/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: a flush takes no more than it must, and from where.
 *
 * A CPU does not say what its TLB holds. So pages of a space that nobody else knows are loaded,
 * then their entries are made to lead to another page, behind the CPU's back: a load that still
 * reads the old page goes by a translation that was kept. A CPU may forget one at any time; not all
 * of eight, three times in turn, unless it was told to.
 */
#include "kernel/selftest/selftest.h"
#include "mm/tables/internal.h"

/* Pages whose translations are looked for; the page behind them is what they lead to. */
#define BESIDE 8
#define PAGES  (BESIDE + 1)

static struct mm *other; /* the space of the test, if this thread runs it, and what it ran before */

static volatile char *byte_of(uint64_t va, unsigned i)
{
	return (volatile char *)(va + i * PAGE_SIZE);
}

/* A space of the test, run by this thread, with PAGES pages that differ. NULL: no memory. */
static struct mm *space_begin(uint64_t *va)
{
	struct mm *mm = mm_create("flush");

	if (!mm)
		return NULL;
	*va = 0;
	if (mm_map_anon(mm, va, PAGES * PAGE_SIZE, true)) {
		mm_put(mm);
		return NULL;
	}
	other = current_mm();
	if (other)
		mm_get(other);
	mm_use(mm);
	for (unsigned i = 0; i < PAGES; i++)
		*byte_of(*va, i) = (char)('a' + i);
	return mm;
}

static void space_end(struct mm *mm)
{
	mm_use(other);
	if (other)
		mm_put(other);
	mm_put(mm);
}

/* How many of the translations of the pages from va on outlive the flush of [start, end) of `of`.
 */
static unsigned kept_once(struct mm *mm, uint64_t va, struct mm *of, uint64_t start, uint64_t end)
{
	uint64_t *pte = pte_leaf(mm->root, va),
		 was[BESIDE]; /* one table: va is where spaces begin */
	unsigned kept = 0;

	preempt_disable();
	for (unsigned i = 0; i < BESIDE; i++)
		(void)*byte_of(va, i);
	for (unsigned i = 0; i < BESIDE; i++)
		was[i] = __atomic_exchange_n(pte + i, pte[BESIDE], __ATOMIC_SEQ_CST);
	tlb_flush_range(of, start, end);
	for (unsigned i = 0; i < BESIDE; i++)
		kept += *byte_of(va, i) == 'a' + (char)i;
	for (unsigned i = 0; i < BESIDE; i++)
		__atomic_store_n(pte + i, was[i], __ATOMIC_RELEASE);
	tlb_flush_all_local();
	preempt_enable();
	return kept;
}

/* The most of three times. */
static unsigned kept(struct mm *mm, uint64_t va, struct mm *of, uint64_t start, uint64_t end)
{
	unsigned most = 0;

	for (unsigned i = 0; i < 3; i++)
		most = MAX(most, kept_once(mm, va, of, start, end));
	return most;
}

SELFTEST(tlb_no_more_than_asked, "tlb.no-more-than-asked",
	 "a flush of a page leaves the translations beside it; one of many pages drops all at once")
{
	uint64_t va;
	struct mm *mm = space_begin(&va);
	unsigned one, many;

	EXPECT(mm, "no memory for an address space");
	one = kept(mm, va, mm, va + BESIDE * PAGE_SIZE, va + PAGES * PAGE_SIZE);
	many = kept(mm, va, mm, va + PMD_SIZE, va + PMD_SIZE + 80 * PAGE_SIZE);
	space_end(mm);
	EXPECT(one, "a flush of one page left none of the %u translations beside it", BESIDE);
	EXPECT(!many, "a flush of 80 pages was one of each: %u translations beside them were left",
	       many);
}

SELFTEST(tlb_at_the_limit, "tlb.at-the-limit",
	 "as many pages as go one by one leave what lies beside them, and one more drops all at "
	 "once")
{
	uint64_t va;
	struct mm *mm = space_begin(&va);
	unsigned most, more;

	EXPECT(mm, "no memory for an address space");
	most = kept(mm, va, mm, va + PMD_SIZE, va + PMD_SIZE + FLUSH_ALL_ABOVE * PAGE_SIZE);
	more = kept(mm, va, mm, va + PMD_SIZE, va + PMD_SIZE + (FLUSH_ALL_ABOVE + 1) * PAGE_SIZE);
	space_end(mm);
	EXPECT(most, "a flush of %u pages left none of the %u translations beside them",
	       FLUSH_ALL_ABOVE, BESIDE);
	EXPECT(!more, "a flush of %u pages was one of each: %u translations beside them were left",
	       FLUSH_ALL_ABOVE + 1, more);
}

SELFTEST(tlb_left_already, "tlb.left-already",
	 "a CPU that is asked about a space it has left forgets nothing of the one that it runs")
{
	uint64_t va;
	struct mm *mm = space_begin(&va), *left;
	unsigned same = 0;

	EXPECT(mm, "no memory for an address space");
	left = mm_create("left");
	preempt_disable();
	if (left) {
		/* As the flusher sees it that looked before this CPU switched away. */
		__atomic_store_n(&left->active, 1u << cpu_id(), __ATOMIC_SEQ_CST);
		same = kept(mm, va, left, va, va + BESIDE * PAGE_SIZE);
		__atomic_store_n(&left->active, 0, __ATOMIC_SEQ_CST);
	}
	preempt_enable();
	if (left)
		mm_put(left);
	space_end(mm);
	EXPECT(left, "no memory for a second one");
	EXPECT(same, "none of %u translations of the space that it runs was left", BESIDE);
}

static uint32_t deeper; /* how often preemption was turned off since the test did */

static void look(void *depth)
{
	deeper = CPU_GET(preempt) - *(uint32_t *)depth;
}

SELFTEST(tlb_stays_here, "tlb.stays-here",
	 "a thread that flushes on its own CPU is not moved to another one between the look and "
	 "the flush")
{
	uint64_t va;
	struct mm *mm = space_begin(&va);
	uint32_t depth;
	unsigned passed;
	int err;

	EXPECT(mm, "no memory for an address space");
	deeper = 0;
	preempt_disable();
	depth = CPU_GET(preempt);
	err = step_arm("tlb_forgets", look, &depth);
	if (!err)
		tlb_flush_range(mm, va, va + PAGE_SIZE);
	passed = step_disarm();
	preempt_enable();
	space_end(mm);
	EXPECT(!err && passed, "the step point tlb_forgets: error %d, passed %u times", err,
	       passed);
	EXPECT(deeper, "preemption was not off where this CPU forgets");
}
