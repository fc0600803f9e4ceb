/* SPDX-License-Identifier: MIT */
/*
 * What this CPU can do, what we demand of it, and its per-CPU counters.
 *
 * Every claim comes from CPUID (Intel SDM vol. 2A, CPUID). A CPU without something the kernel
 * cannot do without is told so by name and reason; what is merely useful is probed and has a
 * fall-back. All CPUs must agree with the first one, else a thread that moves would find its
 * instructions gone.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"

#define MSR_EFER  0xc0000080u
#define EFER_NXE  (1u << 11)
#define CR0_WP	  (1u << 16)
#define CR4_PGE	  (1u << 7)
#define CR4_UMIP  (1u << 11)
#define CR4_SMEP  (1u << 20)
#define CR4_SMAP  (1u << 21)
#define LINE_SIZE 64u

struct cpu cpus[MAX_CPUS];
unsigned nr_cpus = 1;
struct cpu_features cpu_features;

/* CPUID outputs, one row per leaf we read. */
enum { L1, L7, LX1, LX8, NR_LEAVES };
enum { EAX, EBX, ECX, EDX };
struct leaves {
	uint32_t r[NR_LEAVES][4];
	char vendor[13];
};

struct necessity {
	uint8_t leaf, reg, bit;
	const char *name, *reason;
};
static const struct necessity necessities[] = {
	{L1, EDX, 4, "TSC", "the clock"},
	{L1, EDX, 5, "MSR", "per-CPU data"},
	{L1, EDX, 9, "APIC", "interrupts and timers"},
	{L1, EDX, 19, "CLFLUSH", "writing persistent memory back"},
	{L1, EDX, 26, "SSE2", "fences and non-temporal stores"},
	{LX1, EDX, 20, "NX", "pages that are never both written and executed"},
	{LX1, EDX, 29, "LM", "64-bit mode"},
};

static void read_leaves(struct leaves *l)
{
	uint32_t top[4], xtop[4];

	memset(l, 0, sizeof(*l));
	cpuid(0, 0, top);
	memcpy(l->vendor, &top[EBX], 4);
	memcpy(l->vendor + 4, &top[EDX], 4);
	memcpy(l->vendor + 8, &top[ECX], 4);
	cpuid(0x80000000u, 0, xtop);
	cpuid(1, 0, l->r[L1]);
	if (top[EAX] >= 7)
		cpuid(7, 0, l->r[L7]);
	if (xtop[EAX] >= 0x80000001u)
		cpuid(0x80000001u, 0, l->r[LX1]);
	if (xtop[EAX] >= 0x80000008u)
		cpuid(0x80000008u, 0, l->r[LX8]);
}

static void decode(const struct leaves *l, struct cpu_features *f)
{
	uint32_t widths = l->r[LX8][EAX];

	memset(f, 0, sizeof(*f));
	memcpy(f->vendor, l->vendor, sizeof(f->vendor));
	f->phys_bits = widths ? widths & 0xff : 36;
	f->virt_bits = widths ? widths >> 8 & 0xff : 48;
	f->nx = l->r[LX1][EDX] >> 20 & 1;
	f->page1g = l->r[LX1][EDX] >> 26 & 1;
	f->rdtscp = l->r[LX1][EDX] >> 27 & 1;
	f->pge = l->r[L1][EDX] >> 13 & 1;
	f->fsgsbase = l->r[L7][EBX] & 1;
	f->smep = l->r[L7][EBX] >> 7 & 1;
	f->erms = l->r[L7][EBX] >> 9 & 1;
	f->smap = l->r[L7][EBX] >> 20 & 1;
	f->clflushopt = l->r[L7][EBX] >> 23 & 1;
	f->clwb = l->r[L7][EBX] >> 24 & 1;
	f->umip = l->r[L7][ECX] >> 2 & 1;
}

static void demand(const struct leaves *l)
{
	unsigned line = (l->r[L1][EBX] >> 8 & 0xff) * 8, missing = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(necessities); i++) {
		const struct necessity *n = &necessities[i];

		if (l->r[n->leaf][n->reg] >> n->bit & 1)
			continue;
		kprintf("boot: this CPU lacks %s, which Holdfast needs for %s\n", n->name,
			n->reason);
		missing++;
	}
	if (line != LINE_SIZE) {
		kprintf("boot: this CPU has cache lines of %u bytes, Holdfast needs %u\n", line,
			LINE_SIZE);
		missing++;
	}
	if (missing) {
		kprintf("boot: the machine stops here; any x86-64 CPU made since 2004 would do\n");
		machine_exit(EXIT_PANIC);
	}
}

void cpu_features_init(void)
{
	struct cpu_features *f = &cpu_features;
	struct leaves l;

	read_leaves(&l);
	demand(&l);
	decode(&l, f);
	cache_writeback_init();
	kprintf("boot: CPU %s, %u physical bits,%s%s%s%s%s write-back by %s\n", f->vendor,
		f->phys_bits, f->page1g ? " 1G pages," : "", f->smep ? " SMEP," : "",
		f->smap ? " SMAP," : "", f->umip ? " UMIP," : "", f->pge ? " PGE," : "",
		cache_writeback_name());
}

const char *cpu_features_differ(void)
{
	struct cpu_features f;
	struct leaves l;

	read_leaves(&l);
	decode(&l, &f);
#define SAME(field)                                                                                \
	if (f.field != cpu_features.field)                                                         \
	return #field
	SAME(phys_bits);
	SAME(virt_bits);
	SAME(nx);
	SAME(page1g);
	SAME(clflushopt);
	SAME(clwb);
	SAME(smep);
	SAME(smap);
	SAME(umip);
	SAME(pge);
#undef SAME
	return NULL;
}

void cpu_protections_enable(void)
{
	const struct cpu_features *f = &cpu_features;
	uint64_t cr4 = read_cr4();

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	write_cr0(read_cr0() | CR0_WP);
	cr4 |= (f->pge ? CR4_PGE : 0) | (f->umip ? CR4_UMIP : 0);
	cr4 |= (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0);
	write_cr4(cr4);
}

struct cpu *cpu_by_id(unsigned id)
{
	return id < MAX_CPUS && cpus[id].online ? &cpus[id] : NULL;
}

uint32_t cpus_online(void)
{
	return (1u << nr_cpus) - 1;
}

void preempt_switch(void)
{
	if (!irqs_enabled())
		return;
	irq_disable();
	/* Again with interrupts off: one may just have switched for us. */
	if (CPU_GET(need_resched) && CPU_GET(preempt) == 0 && CPU_GET(irq_depth) == 0)
		sched_preempt_forced();
	irq_enable();
}

bool may_sleep(void)
{
	return (CPU_GET(preempt) == 0 && CPU_GET(irq_depth) == 0 && irqs_enabled()) ||
	       !sched_running();
}

void might_sleep_slowly(void)
{
	if (!may_sleep())
		panic("a function that may sleep was called where sleeping is forbidden: "
		      "preemption off %u times, %s, interrupts %s",
		      this_cpu()->preempt, in_interrupt() ? "in an interrupt" : "thread context",
		      irqs_enabled() ? "on" : "off");
}
