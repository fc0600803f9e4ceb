/* SPDX-License-Identifier: MIT */
/*
 * The explorer's home in a Linux process: one thread on one CPU of boot/host. See machine.h.
 *
 * All CPUs of that machine take turns on one Linux thread, so while the explorer does not look up
 * nothing else runs at all. Its page tables are a model, which memory that was put back brings
 * back; of the process's own mappings only those go that were made meanwhile and stand no more.
 */
#include "boot/host/machine.h"
#include "mm/mm.h"
#include "tests/explore/internal.h"

#define LOOK_NS 1000000u /* that go by for the machine at each look */

void __real_irq_enable(void), __real_irq_disable(void);

#undef irqs_enabled
bool irqs_enabled(void);
bool machine_irqs_enabled(void)
{
	return irqs_enabled();
}

/* Other CPUs, timers, the console: their time goes by only here. */
bool machine_breathe(void)
{
	watch_touch();
	__real_irq_enable();
	cpu_look(LOOK_NS);
	__real_irq_disable();
	return batch_stopped() || signal_pending();
}

void machine_set_cpu(struct cpu *c)
{
	host_cpu = c;
}

void machine_flush(bool for_good)
{
	mmu_settle(for_good);
}

void machine_stacks(uintptr_t first, size_t bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		valgrind_stack(first + i * bytes, first + (i + 1) * bytes);
}

uint64_t machine_clock(void)
{
	return host_clock();
}

bool machine_takes(uint64_t n)
{
	return host_take(n);
}

void machine_gives_back(uint64_t n)
{
	host_give_back(n);
}

/* The program's variables but for the explorer's own, which lie between the two. */
bool machine_piece(unsigned n, void **start, size_t *bytes)
{
	extern char __data_start[], __explorer_start[], __explorer_end[], __image_end[];
	uintptr_t from = (uintptr_t)(n ? __explorer_end : __data_start);
	uintptr_t to = (uintptr_t)(n ? __image_end : __explorer_start);

	*start = (void *)ALIGN_UP(from, PAGE_SIZE);
	*bytes = (size_t)(ALIGN_DOWN(to, PAGE_SIZE) - (uintptr_t)*start);
	return n < 2;
}
