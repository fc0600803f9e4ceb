/* SPDX-License-Identifier: MIT */
/*
 * The instructions themselves: the only file with inline assembly.
 *
 * Each function is one instruction or one fixed pair, so that the text of this file is also the
 * list of everything the kernel does behind the compiler's back. The instrumented build leaves this
 * file out and instead lets the functions report themselves. "memory" in a clobber list keeps the
 * compiler from moving ordinary accesses across; it emits nothing.
 */
#include "kernel/kernel.h"

#define CACHE_LINE 64u

struct cpu *host_cpu; /* never set: on a machine the CPU lies behind GS (cpu.h) */

uint64_t cpu_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

uint8_t in8(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

uint16_t in16(uint16_t port)
{
	uint16_t v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

uint32_t in32(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

void out8(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

void out16(uint16_t port, uint16_t v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

void out32(uint16_t port, uint32_t v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

void wrmsr(uint32_t msr, uint64_t v)
{
	asm volatile("wrmsr" : : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(msr) : "memory");
}

void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	asm volatile("cpuid"
		     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
		     : "a"(leaf), "c"(sub));
}

uint64_t read_cr0(void)
{
	uint64_t v;

	asm volatile("mov %%cr0, %0" : "=r"(v) : : "memory");
	return v;
}

void write_debug_registers(const uint64_t *at, unsigned n)
{
	uint64_t dr7 = 0x400; /* bit 10 reads as one; no breakpoint enabled */

	asm volatile("mov %0, %%dr7" : : "r"(dr7) : "memory");
	if (n > 0)
		asm volatile("mov %0, %%dr0" : : "r"(at[0]));
	if (n > 1)
		asm volatile("mov %0, %%dr1" : : "r"(at[1]));
	if (n > 2)
		asm volatile("mov %0, %%dr2" : : "r"(at[2]));
	if (n > 3)
		asm volatile("mov %0, %%dr3" : : "r"(at[3]));
	for (unsigned i = 0; i < n; i++)
		dr7 |= 2ull << (2 * i); /* global enable; type and length 0: on execution */
	asm volatile("mov %0, %%dr7" : : "r"(dr7) : "memory");
}

uint64_t read_cr2(void)
{
	uint64_t v;

	asm volatile("mov %%cr2, %0" : "=r"(v) : : "memory");
	return v;
}

uint64_t read_cr3(void)
{
	uint64_t v;

	asm volatile("mov %%cr3, %0" : "=r"(v) : : "memory");
	return v;
}

uint64_t read_cr4(void)
{
	uint64_t v;

	asm volatile("mov %%cr4, %0" : "=r"(v) : : "memory");
	return v;
}

void write_cr0(uint64_t v)
{
	asm volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

void write_cr3(uint64_t v)
{
	asm volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

void write_cr4(uint64_t v)
{
	asm volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

/* Also reloads the segment registers: CS by a far return, the others by moves. The selectors are
 * those of kernel/cpu/gdt.c (8 code, 16 data). FS and GS stay: their bases live in MSRs. */
void load_gdt(const void *desc)
{
	asm volatile("lgdt (%0)\n\t"
		     "pushq $8\n\t"
		     "leaq 1f(%%rip), %%rax\n\t"
		     "pushq %%rax\n\t"
		     "lretq\n"
		     "1:\n\t"
		     "movl $16, %%eax\n\t"
		     "movl %%eax, %%ds\n\t"
		     "movl %%eax, %%es\n\t"
		     "movl %%eax, %%ss"
		     :
		     : "r"(desc)
		     : "rax", "memory");
}

void load_idt(const void *desc)
{
	asm volatile("lidt (%0)" : : "r"(desc) : "memory");
}

void load_tr(uint16_t sel)
{
	asm volatile("ltr %0" : : "r"(sel) : "memory");
}

uint64_t irq_save(void)
{
	uint64_t v;

	asm volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(v) : : "memory");
	return v;
}

void irq_enable(void)
{
	asm volatile("sti" : : : "memory");
}

void irq_disable(void)
{
	asm volatile("cli" : : : "memory");
}

void cpu_pause(void)
{
	asm volatile("pause" : : : "memory");
}

/* sti takes effect after the next instruction, so no interrupt fits between the two. */
void cpu_halt_enabled(void)
{
	asm volatile("sti\n\thlt" : : : "memory");
}

void cpu_halt_forever(void)
{
	for (;;)
		asm volatile("cli\n\thlt" : : : "memory");
}

void tlb_flush_page_local(uint64_t va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

void tlb_flush_all_local(void)
{
	write_cr3(read_cr3());
}

void copy_cached(void *dst, const void *src, size_t n)
{
	size_t count = n / 8;

	asm volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(count) : : "memory");
	count = n % 8;
	asm volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(count) : : "memory");
}

void smp_mb(void)
{
	asm volatile("mfence" : : : "memory");
}

static const struct persist_observer *observer; /* NULL means nobody watches */
enum writeback_insn { WB_CLFLUSH, WB_CLFLUSHOPT, WB_CLWB };

static enum writeback_insn kind = WB_CLFLUSH;

/* One loop per instruction, a page of lines a turn: the choice is made once, outside. */
#define FOUR(insn, at)                                                                             \
	insn " " #at "+0(%0)\n\t" insn " " #at "+64(%0)\n\t" insn " " #at "+128(%0)\n\t" insn      \
	     " " #at "+192(%0)\n\t"
#define SIXTEEN(insn, at)                                                                          \
	FOUR(insn, at) FOUR(insn, at + 256) FOUR(insn, at + 512) FOUR(insn, at + 768)
#define WRITEBACK_LOOP(name, insn)                                                                 \
	static void name(uintptr_t p, uintptr_t end)                                               \
	{                                                                                          \
		for (; p + 64 * CACHE_LINE <= end; p += 64 * CACHE_LINE)                           \
			asm volatile(SIXTEEN(insn, 0) SIXTEEN(insn, 1024) SIXTEEN(insn, 2048)      \
					     SIXTEEN(insn, 3072)                                   \
				     :                                                             \
				     : "r"(p)                                                      \
				     : "memory");                                                  \
		for (; p + 16 * CACHE_LINE <= end; p += 16 * CACHE_LINE)                           \
			asm volatile(SIXTEEN(insn, 0) : : "r"(p) : "memory");                      \
		for (; p < end; p += CACHE_LINE)                                                   \
			asm volatile(insn " (%0)" : : "r"(p) : "memory");                          \
	}
WRITEBACK_LOOP(lines_clflush, "clflush")
WRITEBACK_LOOP(lines_clflushopt, "clflushopt")
WRITEBACK_LOOP(lines_clwb, "clwb")

void cache_writeback(const void *p, size_t n)
{
	uintptr_t start = ALIGN_DOWN((uintptr_t)p, CACHE_LINE);
	uintptr_t end = ALIGN_UP((uintptr_t)p + n, CACHE_LINE);
	const struct persist_observer *o = __atomic_load_n(&observer, __ATOMIC_ACQUIRE);

	if (n == 0)
		return;
	if (kind == WB_CLWB)
		lines_clwb(start, end);
	else if (kind == WB_CLFLUSHOPT)
		lines_clflushopt(start, end);
	else
		lines_clflush(start, end);
	if (o && o->wrote_back)
		o->wrote_back(p, n);
}

void store_fence(void)
{
	const struct persist_observer *o = __atomic_load_n(&observer, __ATOMIC_ACQUIRE);

	asm volatile("sfence" : : : "memory");
	if (o && o->fenced)
		o->fenced();
}

void cache_writeback_init(void)
{
	if (cpu_features.clwb)
		kind = WB_CLWB;
	else if (cpu_features.clflushopt)
		kind = WB_CLFLUSHOPT;
	else
		kind = WB_CLFLUSH;
}

const char *cache_writeback_name(void)
{
	static const char *const names[] = {"CLFLUSH", "CLFLUSHOPT", "CLWB"};

	return names[kind];
}

void persist_set_observer(const struct persist_observer *o)
{
	__atomic_store_n(&observer, o, __ATOMIC_RELEASE);
}

const struct persist_observer *persist_get_observer(void)
{
	return __atomic_load_n(&observer, __ATOMIC_ACQUIRE);
}
