/* SPDX-License-Identifier: MIT */
/*
 * The explorer's home in the kernel: one thread with interrupts off on one CPU. See machine.h.
 *
 * The other CPUs go on with what they do, which is nothing; their code runs hooks as well, and is
 * told apart by its struct cpu. Between executions interrupts are let in for a moment, so that the
 * watchdog, calls of other CPUs and the console are served.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/trap/internal.h"
#include "mm/mm.h"
#include "tests/explore/internal.h"

#define MSR_GS_BASE 0xc0000101u
#define CR4_PGE	    (1u << 7)

void __real_irq_enable(void), __real_irq_disable(void);
uint64_t __real_clock_ns(void);

bool machine_irqs_enabled(void)
{
	return __builtin_ia32_readeflags_u64() & RFLAGS_IF;
}

bool machine_breathe(void)
{
	watch_touch();
	__real_irq_enable();
	cpu_pause();
	__real_irq_disable();
	return batch_stopped() || signal_pending();
}

void machine_set_cpu(struct cpu *c)
{
	if (c != this_cpu())
		wrmsr(MSR_GS_BASE, (uintptr_t)c);
}

/* Global entries go with a change of CR4.PGE (SDM vol. 3, 4.10.4.1). */
void machine_flush(bool for_good)
{
	uint64_t cr4 = read_cr4();

	(void)for_good;
	write_cr4(cr4 ^ CR4_PGE);
	write_cr4(cr4);
}

/* Nobody does. */
void machine_stacks(uintptr_t first, size_t bytes, unsigned n)
{
	(void)first, (void)bytes, (void)n;
}

uint64_t machine_clock(void)
{
	return __real_clock_ns();
}

/* It is alone. */
bool machine_takes(uint64_t n)
{
	(void)n;
	return true;
}

void machine_gives_back(uint64_t n)
{
	(void)n;
}

/* The kernel's variables but for the explorer's own. */
bool machine_piece(unsigned n, void **start, size_t *bytes)
{
	extern char __data_start[], __explored_end[];

	if (n > 0)
		return false;
	*start = (void *)ALIGN_UP((uintptr_t)__data_start, PAGE_SIZE);
	*bytes = (size_t)(ALIGN_DOWN((uintptr_t)__explored_end, PAGE_SIZE) - (uintptr_t)*start);
	return true;
}
