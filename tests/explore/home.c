/* SPDX-License-Identifier: MIT */
/*
 * What both of the explorer's homes do alike: memory, stacks, the names of variables. See
 * machine.h.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/trap/internal.h"
#include "mm/mm.h"
#include "tests/explore/internal.h"

void __real_irq_enable(void), __real_irq_disable(void);

void *machine_memory(size_t bytes)
{
	unsigned order = 0;
	uint64_t phys;
	void *p;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	phys = order <= FRAME_MAX_ORDER ? frame_alloc(order) : 0;
	if (!phys)
		return NULL;
	frames_lasting_add(1l << order);
	p = phys_to_virt(phys);
	memset(p, 0, bytes);
	return p;
}

void machine_enter(void)
{
	preempt_disable();
	__real_irq_disable();
}

void machine_leave(void)
{
	__real_irq_enable();
	preempt_enable();
	watch_touch();
}

struct cpu *machine_cpu(void)
{
	return this_cpu();
}

void machine_switch(void **save, void *next)
{
	switch_context((uint64_t *)save, (uintptr_t)next);
}

/* What switch_context() pops, then fn to "return" to; the zero above ends a backtrace. */
void *machine_stack(void *top, void (*fn)(void))
{
	uint64_t *sp = top;

	*--sp = 0;
	*--sp = 0;
	*--sp = (uintptr_t)fn;
	for (int i = 0; i < 6; i++)
		*--sp = 0;
	return sp;
}

bool machine_page_fault(uint64_t va, bool write, bool present, bool interrupts_on)
{
	struct trap_frame tf = {.vector = VEC_PAGE_FAULT,
				.error = (write ? PF_WRITE : 0) | (present ? PF_PRESENT : 0),
				.rflags = interrupts_on ? RFLAGS_IF : 0};

	return trap_page_fault_handler(&tf, va);
}

/* By tests/tools/datasyms.py; not there in the first link. */
extern const struct variable {
	uint32_t from, bytes, name;
} ksym_data[] __attribute__((weak)), ksym_data_end[] __attribute__((weak));

const char *machine_name(uintptr_t at, unsigned long *offset)
{
	extern char __data_start[];
	uint64_t from = at - (uintptr_t)__data_start;

	for (const struct variable *v = ksym_data; v < ksym_data_end; v++)
		if (from - v->from < v->bytes) {
			*offset = from - v->from;
			return (const char *)ksym_data_end + v->name;
		}
	return NULL;
}
