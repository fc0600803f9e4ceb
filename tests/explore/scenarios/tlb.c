/* SPDX-License-Identifier: MIT */
/*
 * TLB shootdown: when a translation was taken away, nobody uses it any more.
 *
 * `gone` is set when the taking away has returned. A load that begins after that and still arrives
 * went through a translation that some CPU kept.
 */
#include "mm/mm.h"
#include "tests/explore/explore.h"

#define PAGES 2u

static struct mm *mm;
static uint64_t va, gone; /* zero: not yet */

static int map_memory(void)
{
	int err;

	mm = current_mm();
	va = 0;
	err = mm_map_anon(mm, &va, PAGES * PAGE_SIZE, true);
	for (unsigned i = 0; i < PAGES && !err; i++)
		err = mm_fault(mm, va + i * PAGE_SIZE, true);
	return err ? refuse(err, "no memory is mapped") : 0;
}

static void unmap_memory(void)
{
	mm_unmap(mm, va, PAGES * PAGE_SIZE);
}

static struct mm *of_setup(void)
{
	return mm;
}

static void unmap_all(void)
{
	X_EXPECT("I4", !mm_unmap(mm, va, PAGES * PAGE_SIZE), "munmap fails");
	__atomic_store_n(&gone, 1, __ATOMIC_SEQ_CST);
}

static void protect_all(void)
{
	X_EXPECT("I4", !mm_protect(mm, va, PAGES * PAGE_SIZE, VM_READ), "mprotect fails");
	__atomic_store_n(&gone, 1, __ATOMIC_SEQ_CST);
}

/* Has the translation in its TLB by then, if it is to be had. */
static void load_again(uint64_t at)
{
	uint64_t v, over;
	bool first = x_try_load(at, &v), second;

	over = __atomic_load_n(&gone, __ATOMIC_SEQ_CST);
	second = x_try_load(at, &v);
	x_observe(first);
	x_observe(second);
	X_EXPECT("I1", !over || !second, "a load arrives, and its page is unmapped");
}

static void load_first_page(void)
{
	load_again(va);
}

static void load_last_page(void)
{
	load_again(va + (PAGES - 1) * PAGE_SIZE);
}

static void store_again(void)
{
	bool first = x_try_store(va, 1), second;
	uint64_t over = __atomic_load_n(&gone, __ATOMIC_SEQ_CST);

	second = x_try_store(va, 2);
	x_observe(first);
	x_observe(second);
	X_EXPECT("I1", !over || !second,
		 "a store arrives, and its page may not be written any more");
}

/* Runs the address space only now. */
static void switch_and_load(void)
{
	mm_use(mm);
	load_again(va);
	mm_use(NULL);
}

#define MEMORY .setup = map_memory, .teardown = unmap_memory
EXPLORE_SCENARIO(tlb_load_unmap, "tlb.load-unmap", "after munmap no CPU loads from the page",
		 MEMORY, .mm = of_setup,
		 .thread = {{"unmap", unmap_all}, {"load", load_first_page}}, .interrupts = true);
EXPLORE_SCENARIO(tlb_last_page, "tlb.last-page", "a flush of two pages is one of the second too",
		 MEMORY, .mm = of_setup, .thread = {{"unmap", unmap_all}, {"load", load_last_page}},
		 .interrupts = true);
EXPLORE_SCENARIO(tlb_store_protect, "tlb.store-protect", "after mprotect no CPU stores to the page",
		 MEMORY, .mm = of_setup,
		 .thread = {{"protect", protect_all}, {"store", store_again}}, .interrupts = true);
EXPLORE_SCENARIO(tlb_switch_flush, "tlb.switch-flush",
		 "a CPU that begins to run an address space is flushed, or finds the entry gone",
		 MEMORY, .thread = {{"unmap", unmap_all}, {"switch", switch_and_load}},
		 .interrupts = true);
EXPLORE_SCENARIO(tlb_two_loads, "tlb.two-loads", "of two CPUs that run it both are flushed", MEMORY,
		 .mm = of_setup,
		 .thread = {{"unmap", unmap_all},
			    {"first", load_first_page},
			    {"second", load_last_page}},
		 .interrupts = true, .large = true);
