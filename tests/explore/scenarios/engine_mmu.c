/* SPDX-License-Identifier: MIT */
/*
 * What the explorer is asked about its modelled MMU: programs that change page tables themselves,
 * without the kernel's care (tests/explore/test_engine.c).
 */
#include "mm/mm.h"
#include "mm/tables/internal.h"
#include "tests/explore/scenarios/engine.h"

static struct mm *mm;
static uint64_t va, *pte[2]; /* of two pages that are mapped writable */

static int map_two(void)
{
	int err;

	mm = current_mm();
	va = 0;
	err = mm_map_anon(mm, &va, 2 * PAGE_SIZE, true);
	for (unsigned i = 0; i < 2 && !err; i++)
		err = mm_fault(mm, va + i * PAGE_SIZE, true);
	for (unsigned i = 0; i < 2 && !err; i++)
		pte[i] = pte_leaf(mm->root, va + i * PAGE_SIZE);
	return err ? refuse(err, "no memory is mapped") : 0;
}

static void unmap_two(void)
{
	mm_unmap(mm, va, 2 * PAGE_SIZE);
}

static struct mm *its_space(void)
{
	return mm;
}

#define TWO_PAGES .setup = map_two, .teardown = unmap_two, .mm = its_space, .interrupts = true

/* An entry by way of a whole word, as the hardware looks at it. */
static void set_entry(unsigned i, uint64_t v)
{
	__atomic_store_n(pte[i], v, __ATOMIC_SEQ_CST);
}

static void load_and_protect(void)
{
	x_load(va);
	x_store(va + PAGE_SIZE, 1);
	set_entry(1, *pte[1] & ~PTE_W);
}

static void rests(void)
{
	x_point("nothing");
}

/* The TLB keeps a right to write that the page tables do not give any more. */
const struct x_scenario engine_tlb_kept = {
	.name = "engine.tlb-kept",
	TWO_PAGES,
	.thread = {{"protects", load_and_protect}, {"rests", rests}}};

static void protect_and_flush(void)
{
	load_and_protect();
	tlb_flush_page_local(va + PAGE_SIZE);
}

const struct x_scenario engine_tlb_flushed = {
	.name = "engine.tlb-flushed",
	TWO_PAGES,
	.thread = {{"protects", protect_and_flush}, {"rests", rests}}};

/* Both entries point to the first page's frame, after a flush of everything. */
static void load_both_again(void)
{
	uint64_t first;

	x_store(va, 11);
	x_store(va + PAGE_SIZE, 22);
	first = *pte[0];
	set_entry(1, first);
	tlb_flush_all_local();
	x_observe(x_load(va) * 100 + x_load(va + PAGE_SIZE));
	X_EXPECT("flush", x_load(va + PAGE_SIZE) == 11, "a flush of everything left a translation");
	set_entry(1, 0);
	tlb_flush_all_local();
}

const struct x_scenario engine_tlb_all = {
	.name = "engine.tlb-all",
	TWO_PAGES,
	.thread = {{"flushes", load_both_again}, {"rests", rests}}};

static void marks(void)
{
	set_entry(0, *pte[0] & ~(PTE_A | PTE_D));
	set_entry(1, *pte[1] & ~(PTE_A | PTE_D));
	tlb_flush_all_local();
	x_load(va);
	x_store(va + PAGE_SIZE, 1);
	X_EXPECT("marks", (*pte[0] & (PTE_A | PTE_D)) == PTE_A, "a load marks an entry 0x%lx",
		 *pte[0]);
	X_EXPECT("marks", (*pte[1] & (PTE_A | PTE_D)) == (PTE_A | PTE_D),
		 "a store marks an entry 0x%lx", *pte[1]);
}

const struct x_scenario engine_marks = {
	.name = "engine.marks", TWO_PAGES, .thread = {{"accesses", marks}, {"rests", rests}}};

/* By one translation, which the store changes. */
static void marks_again(void)
{
	set_entry(0, *pte[0] & ~(PTE_A | PTE_D));
	tlb_flush_all_local();
	x_load(va);
	x_store(va, 1);
	X_EXPECT("marks", *pte[0] & PTE_D, "a store behind a load marks an entry 0x%lx", *pte[0]);
}

const struct x_scenario engine_marks_again = {
	.name = "engine.marks-again",
	TWO_PAGES,
	.thread = {{"accesses", marks_again}, {"rests", rests}}};

/* ---- what others notice of an access */

static uint64_t *frame_of(unsigned i)
{
	return phys_to_virt(*pte[i] & PTE_PHYS);
}

static void store_one(void)
{
	x_store(va, 1);
}

static void store_two(void)
{
	x_store(va, 2);
}

static void see_first(void)
{
	x_observe(*frame_of(0));
}

/* Of two stores by way of two TLBs either is the last. */
const struct x_scenario engine_mmu_last = {.name = "engine.mmu-last",
					   TWO_PAGES,
					   .thread = {{"one", store_one}, {"two", store_two}},
					   .end = see_first};

static void unmark(void)
{
	set_entry(0, *pte[0] & ~(PTE_A | PTE_D));
}

static void look_at_marks(void)
{
	x_observe(LOAD(*pte[0]) & (PTE_A | PTE_D));
}

/* The walk marks the entry, which is a store that others see, or do not see yet. */
const struct x_scenario engine_mmu_marked = {
	.name = "engine.mmu-marked",
	TWO_PAGES,
	.start = unmark,
	.thread = {{"stores", store_one}, {"looks", look_at_marks}}};

static void mark_accessed(void)
{
	set_entry(0, (*pte[0] | PTE_A) & ~PTE_D);
}

/* The same of an entry that is marked accessed already. */
const struct x_scenario engine_mmu_dirtied = {
	.name = "engine.mmu-dirtied",
	TWO_PAGES,
	.start = mark_accessed,
	.thread = {{"stores", store_one}, {"looks", look_at_marks}}};

static void fill_both(void)
{
	*frame_of(0) = 11;
	*frame_of(1) = 22;
}

static void flush(void *unused)
{
	(void)unused;
	tlb_flush_all_local();
}

static void move_and_flush(void)
{
	uint64_t *old = frame_of(0);

	set_entry(0, *pte[1]);
	cpu_call(1, flush, NULL);
	STORE(*old, 33);
}

static void load_twice(void)
{
	uint64_t before = x_load(va), then = x_load(va);

	X_EXPECT("flush", before != 33 && then != 33, "the old frame is read behind the flush");
	x_observe(before * 100 + then);
}

/* Both loads find the old frame, or the second one finds the new one, or both. */
const struct x_scenario engine_tlb_shot = {
	.name = "engine.tlb-shot",
	TWO_PAGES,
	.start = fill_both,
	.thread = {{"loads", load_twice}, {"moves", move_and_flush}}};

static void move_and_post(void)
{
	set_entry(0, *pte[1]);
	x_interrupt(0, flush, NULL);
}

/* The same where nothing else competes with the loads: the flush itself comes between two. */
const struct x_scenario engine_tlb_posted = {
	.name = "engine.tlb-posted",
	TWO_PAGES,
	.start = fill_both,
	.thread = {{"loads", load_twice}, {"moves", move_and_post}}};

/* ---- what is compared in the end, of the second CPU as well */

static void load_and_move(void)
{
	x_load(va);
	set_entry(0, *pte[1]);
}

static void load_and_hide(void)
{
	x_load(va);
	set_entry(0, *pte[0] & ~PTE_P);
}

const struct x_scenario engine_tlb_moved = {.name = "engine.tlb-moved",
					    TWO_PAGES,
					    .thread = {{"rests", rests}, {"moves", load_and_move}}};
const struct x_scenario engine_tlb_hidden = {
	.name = "engine.tlb-hidden",
	TWO_PAGES,
	.thread = {{"rests", rests}, {"hides", load_and_hide}}};

/* ---- what was freed is not walked, nor reached by a TLB */

static void free_table(void)
{
	frame_free(virt_to_phys((void *)ALIGN_DOWN((uintptr_t)pte[0], PAGE_SIZE)), 0);
}

static void free_frame(void)
{
	frame_free(*pte[0] & PTE_PHYS, 0);
}

static void load_first(void)
{
	x_load(va);
}

const struct x_scenario engine_mmu_table_freed = {
	.name = "engine.mmu-table-freed",
	TWO_PAGES,
	.thread = {{"frees", free_table}, {"loads", load_first}}};
const struct x_scenario engine_mmu_frame_freed = {
	.name = "engine.mmu-frame-freed",
	TWO_PAGES,
	.thread = {{"frees", free_frame}, {"loads", load_first}}};

/* ---- programs by dice: a page leads to the other one's frame from now on ---- */

static uint32_t count;
static uint64_t first_phys, difference; /* of the first page's frame; between the two frames */
static struct mutex swap_lock = MUTEX_INIT("swap");

static void swap(unsigned i)
{
	set_entry(i, *pte[i] ^ difference);
	tlb_flush_range(mm, va + i * PAGE_SIZE, va + (i + 1) * PAGE_SIZE);
}

static void count_call(void *arg)
{
	x_observe(__atomic_fetch_add((uint32_t *)arg, 1, __ATOMIC_SEQ_CST));
}

static void swap_locked(unsigned i)
{
	mutex_lock(&swap_lock);
	swap(i);
	mutex_unlock(&swap_lock);
}

static void count_off(void)
{
	uint64_t flags = irq_save();

	STORE(count, LOAD(count) * 3);
	irq_restore(flags);
}

/* A flush may come between, before or behind. */
static void see_twice(uint64_t at)
{
	x_observe(x_load(at));
	x_observe(x_load(at));
}

static void step(struct engine_step s)
{
	unsigned i = s.variable;

	switch (s.kind) {
	case ENGINE_LOAD: see_twice(va + i * PAGE_SIZE); return;
	case ENGINE_STORE: x_store(va + i * PAGE_SIZE, s.value); return;
	case ENGINE_ADD: count_call(&count); return;
	case ENGINE_LOCKED: swap_locked(i); return;
	case ENGINE_OFF: count_off(); return;
	case ENGINE_INTERRUPT: swap(i); return;
	case ENGINE_CALL: cpu_call(~0u, count_call, &count); return;
	default: STORE(count, s.value); return;
	}
}

ENGINE_THREAD(0, step)
ENGINE_THREAD(1, step)
ENGINE_THREAD(2, step)

static void start_swaps(void)
{
	count = 0;
	first_phys = *pte[0] & PTE_PHYS;
	difference = (*pte[0] ^ *pte[1]) & PTE_PHYS;
}

static void see_pages(void)
{
	x_observe(count);
	for (unsigned i = 0; i < 2; i++)
		x_observe((*pte[i] & PTE_PHYS) == first_phys);
}

#define SWAPS .start = start_swaps, .end = see_pages, TWO_PAGES

const struct x_scenario engine_dice_mmu = {
	.name = "engine.dice-mmu", .thread = {{"one", run_0}, {"two", run_1}}, SWAPS};
const struct x_scenario engine_dice_mmu_three = {
	.name = "engine.dice-mmu-three",
	.thread = {{"one", run_0}, {"two", run_1}, {"three", run_2}},
	SWAPS};
