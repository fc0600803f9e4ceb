/* SPDX-License-Identifier: MIT */
/*
 * Segment tables of one CPU, and the stacks for exceptions that cannot trust the current one.
 *
 * There is one privilege level, so segments say nothing any more; what is left of them is the task
 * state segment with the interrupt stack table (Intel SDM vol. 3, 6.14.5): a double fault is
 * usually a stack that ran into its guard page, an NMI and a machine check may come anywhere.
 */
#include "kernel/internal.h"

#define MSR_GS_BASE 0xc0000101u
#define SEL_TSS	    24

/* Which slot of the interrupt stack table; traps.c puts the same numbers into the gates. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} __attribute__((packed));

struct cpu_arch {
	uint8_t double_fault[8192] __attribute__((aligned(16)));
	uint8_t machine_check[8192] __attribute__((aligned(16)));
	uint8_t nmi[8192] __attribute__((aligned(16)));
	uint64_t gdt[5];
	struct tss tss;
	void *unaligned; /* what malloc() gave */
};

struct cpu_arch boot_cpu_arch;

struct cpu_arch *cpu_arch_alloc(void)
{
	char *p = calloc(1, sizeof(struct cpu_arch) + 16);
	struct cpu_arch *a;

	if (!p)
		return NULL;
	a = (struct cpu_arch *)ALIGN_UP((uintptr_t)p, 16);
	a->unaligned = p;
	return a;
}

static void fill(struct cpu_arch *a)
{
	uint64_t base = (uintptr_t)&a->tss, limit = sizeof(a->tss) - 1;

	a->tss.ist[0] = (uintptr_t)a->double_fault + sizeof(a->double_fault);
	a->tss.ist[1] = (uintptr_t)a->nmi + sizeof(a->nmi);
	a->tss.ist[2] = (uintptr_t)a->machine_check + sizeof(a->machine_check);
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

static bool inside(const void *area, uint64_t size, uint64_t p, uint64_t n)
{
	return p >= (uintptr_t)area && p + n <= (uintptr_t)area + size;
}

bool on_exception_stack(const struct cpu *c, uint64_t p, uint64_t n)
{
	const struct cpu_arch *a = c->arch;

	return a && (inside(a->double_fault, sizeof(a->double_fault), p, n) ||
		     inside(a->machine_check, sizeof(a->machine_check), p, n) ||
		     inside(a->nmi, sizeof(a->nmi), p, n));
}
