/* SPDX-License-Identifier: MIT */
/*
 * The modelled MMU: what a CPU's loads and stores of user addresses go through.
 *
 * The page tables are the real ones, walked in software. Each logical CPU has a TLB, which keeps
 * what it was filled with until it is flushed. An access is two events: the TLB is filled from the
 * page tables, with A and D bits set as the hardware sets them; then memory is touched by way of
 * the TLB. So whatever changes between the two, and in all the time until a flush, is met with the
 * old translation. A fault goes to the kernel's own handler, as code under test.
 *
 * At the end of an execution no TLB may allow more than the page tables do.
 */
#include "tests/explore/internal.h"
#include "mm/mm.h"

#define ENTRIES 16u
#define RETRIES 50u
#define CPUS	(X_CPUS + X_MAX_DEVICES)

struct translation {
	uint64_t va, phys, bytes; /* bytes zero: free */
	bool writable, dirty;
};
static struct tlb {
	uint64_t root; /* of the page tables; 0: none but the kernel's */
	struct translation e[ENTRIES];
	unsigned filled; /* so often since the beginning, an entry after the other */
} tlb[CPUS];

/* The entries behind these are free. */
static inline unsigned in_use(const struct tlb *t)
{
	return MIN(t->filled, ENTRIES);
}

void x_mmu_reset(void)
{
	memset(tlb, 0, sizeof(tlb));
	if (!x.sc->mm)
		return;
	for (unsigned i = 0; i < x.nr_threads; i++) {
		struct mm *mm = x.actor[i].thread->mm;

		if (!mm)
			continue;
		tlb[i].root = mm->root;
		x_log(&mm->active, sizeof(mm->active));
		mm->active = (1u << x.nr_threads) - 1;
	}
}

static struct translation *find(struct tlb *t, uint64_t va)
{
	for (unsigned i = 0; i < in_use(t); i++)
		if (va - t->e[i].va < t->e[i].bytes)
			return &t->e[i];
	return NULL;
}

/* The entry of the page tables that decides about va, and how many bytes it is for. */
static uint64_t *walk(uint64_t root, uint64_t va, uint64_t *bytes)
{
	uint64_t *table = phys_to_virt(root & PTE_PHYS);

	for (unsigned shift = 39;; shift -= 9) {
		uint64_t *entry = &table[va >> shift & 511];

		*bytes = 1ull << shift;
		if (shift == PAGE_SHIFT || !(*entry & PTE_P) || (*entry & PTE_PS))
			return entry;
		table = phys_to_virt(*entry & PTE_PHYS);
	}
}

static void say_walk(uint64_t va, bool write, const uint64_t *entry, const void *pc)
{
	struct x_op *op = x_op(write ? X_MMU_STORE : X_MMU_LOAD, pc);
	bool marks = (*entry & PTE_P) && (~*entry & (write ? PTE_A | PTE_D : PTE_A));

	(void)va;
	x_add(op, x_how(X_PLACE_TLB(x.me->cpu), X_WRITE));
	x_add(op, x_place(entry, 8, marks ? X_WRITE : X_READ));
	op->what = "page tables";
	if (marks)
		x_locked(op, x.me->cpu);
}

/* Fills the TLB. False: a fault is due. */
static bool fill(uint64_t va, bool write, bool *present, const void *pc)
{
	struct tlb *t = &tlb[x.me->cpu];
	uint64_t bytes, *entry = walk(t->root, va, &bytes);
	struct translation *to;

	say_walk(va, write, entry, pc);
	x_wait_turn();
	entry = walk(t->root, va, &bytes);
	x_touched((uintptr_t)entry, sizeof(*entry));
	x_value(*entry);
	*present = *entry & PTE_P;
	if (!*present || (write && !(*entry & PTE_W)))
		return false;
	x_log(entry, 8);
	*entry |= write ? PTE_A | PTE_D : PTE_A;
	to = find(t, va);
	if (!to) {
		x_log(&t->filled, sizeof(t->filled));
		to = &t->e[t->filled++ % ENTRIES];
	}
	x_log(to, sizeof(*to));
	*to = (struct translation){.va = ALIGN_DOWN(va, bytes),
				   .phys = *entry & PTE_PHYS & ~(bytes - 1),
				   .bytes = bytes,
				   .writable = *entry & PTE_W,
				   .dirty = *entry & PTE_D};
	return true;
}

static bool allows(const struct translation *e, bool write)
{
	return e && (!write || (e->writable && e->dirty));
}

static bool take_fault(uint64_t va, bool write, bool present)
{
	bool handled;

	x_live = true;
	handled = machine_page_fault(va, write, present, x.state.irq_on[x.me->cpu]);
	x_live = false;
	return handled;
}

/* Touches memory by way of the TLB; false: the translation went before that. */
static bool touch(uint64_t va, bool write, uint64_t *v, const void *pc)
{
	struct tlb *t = &tlb[x.me->cpu];
	struct translation *e = find(t, va);
	uint64_t *at = phys_to_virt(e->phys + (va - e->va));
	struct x_op *op = x_op(write ? X_MMU_STORE : X_MMU_LOAD, pc);

	x_add(op, x_how(X_PLACE_TLB(x.me->cpu), X_READ));
	x_add(op, x_place(at, 8, write ? X_WRITE : X_READ));
	x_locked(op, x.me->cpu);
	x_wait_turn();
	e = find(t, va);
	if (!allows(e, write) || phys_to_virt(e->phys + (va - e->va)) != at)
		return false;
	x_touched((uintptr_t)at, 8);
	if (write) {
		x_log(at, 8);
		*at = *v;
	} else {
		*v = *at;
	}
	x_value(*v);
	return true;
}

static bool go_through(uint64_t va, bool write, uint64_t *v, const void *pc)
{
	bool present;

	for (unsigned i = 0; i < RETRIES; i++) {
		x_live = false;
		if (!allows(find(&tlb[x.me->cpu], va), write) && !fill(va, write, &present, pc)) {
			if (!take_fault(va, write, present)) {
				x_live = true;
				return false;
			}
			continue;
		}
		if (touch(va, write, v, pc)) {
			x_live = true;
			return true;
		}
	}
	x_fail("an access of 0x%lx faults again and again", (unsigned long)va);
}

bool x_try_load(uint64_t va, uint64_t *v)
{
	return go_through(va, false, v, __builtin_return_address(0));
}

bool x_try_store(uint64_t va, uint64_t v)
{
	return go_through(va, true, &v, __builtin_return_address(0));
}

uint64_t x_load(uint64_t va)
{
	uint64_t v = 0;

	if (!go_through(va, false, &v, __builtin_return_address(0)))
		x_stop("fault", "a load of 0x%lx, a fault that nobody handles", (unsigned long)va);
	return v;
}

void x_store(uint64_t va, uint64_t v)
{
	if (!go_through(va, true, &v, __builtin_return_address(0)))
		x_stop("fault", "a store to 0x%lx, a fault that nobody handles", (unsigned long)va);
}

/* ---- flushes */

void __real_tlb_flush_page_local(uint64_t va), __wrap_tlb_flush_page_local(uint64_t va);
void __real_tlb_flush_all_local(void), __wrap_tlb_flush_all_local(void);
void __real_write_cr3(uint64_t v), __wrap_write_cr3(uint64_t v);

static void drop(struct translation *e)
{
	x_log(&e->bytes, sizeof(e->bytes));
	e->bytes = 0;
}

static void drop_all(struct tlb *t)
{
	for (unsigned i = 0; i < in_use(t); i++)
		if (t->e[i].bytes)
			drop(&t->e[i]);
}

/* X_SHARED: of two flushes either may come first. */
static void flush_event(unsigned how, const void *pc)
{
	struct x_op *op;

	if (!x.sc->mm)
		return;
	op = x_op(X_FLUSH, pc);
	x_add(op, x_how(X_PLACE_TLB(x.me->cpu), how));
	op->what = "TLB";
	x_locked(op, x.me->cpu);
	x_wait_turn();
	x_live = true;
}

void __wrap_tlb_flush_page_local(uint64_t va)
{
	struct translation *e;

	if (!x_on()) {
		__real_tlb_flush_page_local(va);
		return;
	}
	flush_event(X_SHARED, __builtin_return_address(0));
	while ((e = find(&tlb[x.me->cpu], va)))
		drop(e);
}

void __wrap_tlb_flush_all_local(void)
{
	if (!x_on()) {
		__real_tlb_flush_all_local();
		return;
	}
	flush_event(X_SHARED, __builtin_return_address(0));
	drop_all(&tlb[x.me->cpu]);
}

void __wrap_write_cr3(uint64_t v)
{
	if (!x_on()) {
		__real_write_cr3(v);
		return;
	}
	flush_event(X_WRITE, __builtin_return_address(0));
	drop_all(&tlb[x.me->cpu]);
	x_log(&tlb[x.me->cpu].root, sizeof(v));
	tlb[x.me->cpu].root = v;
}

bool x_mmu_check(void)
{
	for (unsigned cpu = 0; cpu < x.nr_threads; cpu++)
		for (unsigned i = 0; i < in_use(&tlb[cpu]); i++) {
			const struct translation *e = &tlb[cpu].e[i];
			uint64_t bytes, entry;

			if (!e->bytes)
				continue;
			entry = *walk(tlb[cpu].root, e->va, &bytes);
			if ((entry & PTE_P) &&
			    (e->phys & ~(bytes - 1)) == (entry & PTE_PHYS & ~(bytes - 1)) &&
			    (!e->writable || (entry & PTE_W)))
				continue;
			snprintf(x.rule, sizeof(x.rule), "I1");
			snprintf(x.text, sizeof(x.text),
				 "the TLB of CPU %u still allows %s of 0x%lx at frame 0x%lx, and "
				 "the "
				 "page tables do not (%lx)",
				 cpu, e->writable ? "stores" : "loads", (unsigned long)e->va,
				 (unsigned long)e->phys, (unsigned long)entry);
			return false;
		}
	return true;
}
