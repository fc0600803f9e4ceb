/* SPDX-License-Identifier: MIT */
/*
 * The instructions of kernel/cpu/cpu.h, by what they mean: registers are variables, ports and
 * caches are models. The interrupt flag, halts and the clock are in cpus.c.
 *
 * Persistence keeps its observer, which is what the power-cut model works with; the write-back
 * itself is nothing, since a process dies without losing its files.
 */
#include "boot/host/machine.h"

#define MSR_EFER    0xc0000080u
#define MSR_GS_BASE 0xc0000101u
#define CR4_PGE	    (1ull << 7)

struct cpu *host_cpu; /* of the CPU that runs */

uint8_t in8(uint16_t port)
{
	return (uint8_t)port_read(port, 1);
}

uint16_t in16(uint16_t port)
{
	return (uint16_t)port_read(port, 2);
}

uint32_t in32(uint16_t port)
{
	return port_read(port, 4);
}

void out8(uint16_t port, uint8_t v)
{
	port_write(port, 1, v);
}

void out16(uint16_t port, uint16_t v)
{
	port_write(port, 2, v);
}

void out32(uint16_t port, uint32_t v)
{
	port_write(port, 4, v);
}

uint64_t rdmsr(uint32_t msr)
{
	switch (msr) {
	case MSR_EFER: return lcpu->efer;
	case MSR_GS_BASE: return lcpu->gs;
	case 0x1b: return 0xfee00800u | (lcpu->id ? 0 : 0x100); /* local APIC: on, boot CPU */
	default: return 0;
	}
}

void wrmsr(uint32_t msr, uint64_t v)
{
	if (msr == MSR_EFER)
		lcpu->efer = v;
	if (msr == MSR_GS_BASE) {
		lcpu->gs = v;
		host_cpu = (struct cpu *)v;
	}
}

/* The CPU of this machine: what Holdfast needs, and all that it has a use for and that is modelled.
 */
void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	static const struct {
		uint32_t leaf, r[4];
	} rows[] = {
		{0, {7, 0x646c6f48, 0x74736f48, 0x74736166}}, /* HoldfastHost */
		{1,
		 {0x600, 8u << 8, 0, 1u << 4 | 1u << 5 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 26}},
		{7, {0, 1u << 23 | 1u << 24, 0, 0}},
		{0x80000000u, {0x80000008u, 0, 0, 0}},
		{0x80000001u, {0, 0, 0, 1u << 20 | 1u << 26 | 1u << 27 | 1u << 29}},
		{0x80000008u, {40 | 48 << 8, 0, 0, 0}},
	};

	(void)sub;
	memset(out, 0, 4 * sizeof(*out));
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].leaf == leaf)
			memcpy(out, rows[i].r, sizeof(rows[i].r));
	if (leaf == 1)
		out[1] |= lcpu->id << 24;
}

uint64_t read_cr0(void)
{
	return lcpu->cr0;
}

uint64_t read_cr2(void)
{
	return lcpu->cr2;
}

uint64_t read_cr3(void)
{
	return lcpu->cr3;
}

uint64_t read_cr4(void)
{
	return lcpu->cr4;
}

void write_cr0(uint64_t v)
{
	lcpu->cr0 = v;
}

void write_cr3(uint64_t v)
{
	lcpu->cr3 = v;
	mmu_flush_low();
}

void write_cr4(uint64_t v)
{
	bool flush = lcpu->cr4 & ~v &
		     CR4_PGE; /* turned off; nothing is there to go when it is turned on */

	lcpu->cr4 = v;
	if (flush)
		mmu_flush_all();
}

void write_debug_registers(const uint64_t *at, unsigned n)
{
	memcpy(lcpu->breakpoint, at, n * sizeof(*at));
	lcpu->nr_breakpoints = n;
	breakpoints_load();
}

/* One privilege level, and no gates: nothing is kept in them. */
void load_gdt(const void *desc)
{
	(void)desc;
}

void load_idt(const void *desc)
{
	(void)desc;
}

void load_tr(uint16_t sel)
{
	(void)sel;
}

void tlb_flush_page_local(uint64_t va)
{
	mmu_flush_page(va);
}

void tlb_flush_all_local(void)
{
	mmu_flush_low();
}

void copy_cached(void *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
}

/* One thread runs all CPUs, so only the compiler could reorder. */
void smp_mb(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static const struct persist_observer *observer; /* NULL means nobody watches */

void cache_writeback(const void *p, size_t n)
{
	const struct persist_observer *o = persist_get_observer();

	if (n && o && o->wrote_back)
		o->wrote_back(p, n);
}

void store_fence(void)
{
	const struct persist_observer *o = persist_get_observer();

	if (o && o->fenced)
		o->fenced();
}

void cache_writeback_init(void)
{
}

const char *cache_writeback_name(void)
{
	return "CLWB";
}

void persist_set_observer(const struct persist_observer *o)
{
	__atomic_store_n(&observer, o, __ATOMIC_RELEASE);
}

const struct persist_observer *persist_get_observer(void)
{
	return __atomic_load_n(&observer, __ATOMIC_ACQUIRE);
}
