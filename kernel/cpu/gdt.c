/* SPDX-License-Identifier: MIT */
/*
 * Segment tables of one CPU, and the stacks for exceptions that cannot trust the current one.
 *
 * There is one privilege level, so segments say nothing any more; what is left of them is the task
 * state segment with the interrupt stack table (Intel SDM vol. 3, 6.14.5): a double fault is
 * usually a stack that ran into its guard page, an NMI and a machine check may come anywhere.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"

#define MSR_GS_BASE 0xc0000101u
#define SEL_TSS	    24

/* Which slot of the interrupt stack table; traps.c puts the same numbers into the gates. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} __attribute__((packed));

#define IST_STACKS 3 /* double fault, NMI, machine check */

struct cpu_arch {
	uint8_t *ist[IST_STACKS]; /* lowest byte of each stack */
	uint64_t ist_size;
	uint64_t gdt[5];
	struct tss tss;
};

/* Until there are guarded stacks; only an exception in the first milliseconds uses them. */
static uint8_t early_ist[IST_STACKS][4096] __attribute__((aligned(16)));
static struct cpu_arch boot_cpu_arch;

struct cpu_arch *cpu_arch_of_boot_cpu(void)
{
	boot_cpu_arch.ist_size = sizeof(early_ist[0]);
	for (unsigned i = 0; i < IST_STACKS; i++)
		boot_cpu_arch.ist[i] = early_ist[i];
	return &boot_cpu_arch;
}

bool cpu_arch_guard_stacks(struct cpu_arch *a)
{
	uint8_t *stack[IST_STACKS];

	for (unsigned i = 0; i < IST_STACKS; i++)
		if (!(stack[i] = thread_stack_alloc()))
			return false; /* a CPU without memory is not started: nothing to undo for */
	for (unsigned i = 0; i < IST_STACKS; i++) {
		a->ist[i] = stack[i];
		a->tss.ist[i] = (uintptr_t)stack[i] + THREAD_STACK_SIZE;
	}
	a->ist_size = THREAD_STACK_SIZE;
	return true;
}

struct cpu_arch *cpu_arch_alloc(void)
{
	struct cpu_arch *a = calloc(1, sizeof(*a));

	if (a && cpu_arch_guard_stacks(a))
		return a;
	free(a);
	return NULL;
}

static void fill(struct cpu_arch *a)
{
	uint64_t base = (uintptr_t)&a->tss, limit = sizeof(a->tss) - 1;

	for (unsigned i = 0; i < IST_STACKS; i++)
		a->tss.ist[i] = (uintptr_t)a->ist[i] + a->ist_size;
	a->tss.iomap = sizeof(a->tss);
	a->gdt[1] = 0x00af9b000000ffffull; /* 8: 64-bit code */
	a->gdt[2] = 0x00cf93000000ffffull; /* 16: data */
	/* 24, 32: the 16-byte descriptor of an available 64-bit TSS (SDM vol. 3, figure 8-4). */
	a->gdt[3] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	a->gdt[4] = base >> 32;
}

void gdt_load(struct cpu *c)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) desc = {sizeof(c->arch->gdt) - 1, (uintptr_t)c->arch->gdt};

	fill(c->arch);
	load_gdt(&desc);
	load_tr(SEL_TSS);
	wrmsr(MSR_GS_BASE, (uintptr_t)c);
}

SELFTEST(trap_stacks_guarded, "trap.exception-stacks-guarded",
	 "below every CPU's exception stacks lies a page that cannot be touched")
{
	unsigned open = 0;
	uint64_t v;

	for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
		for (unsigned i = 0; i < IST_STACKS; i++) {
			const uint8_t *bottom = cpu_by_id(cpu)->arch->ist[i];

			EXPECT(!load_checked((const uint64_t *)bottom, &v),
			       "stack %u of CPU %u is absent", i, cpu);
			open += !load_checked((const uint64_t *)(bottom - 8), &v);
		}
	EXPECT(!open, "%u stacks have none", open);
}
