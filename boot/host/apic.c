/* SPDX-License-Identifier: MIT */
/*
 * Interrupt controllers, in place of kernel/cpu/apic.c: the same functions, on the CPUs of cpus.c.
 *
 * A local APIC's id is its CPU's number. There is one I/O APIC, whose pins are what devices of this
 * machine have: the serial line (4).
 */
#include "boot/host/machine.h"
#include "kernel/console/internal.h"
#include "kernel/time/internal.h"

#define LAPIC_PHYS 0xfee00000ull
#define COM1_GSI   4
#define PINS	   24

/* The words at the end of what a CPU starts with (kernel/cpu/smp.c has the same). */
struct ap_params {
	uint64_t cr0, cr3, cr4, efer, stack, cpu, entry;
};

static bool ready;				 /* zero means interrupts of ours cannot come yet */
static void *(*map_mmio_fn)(uint64_t, uint64_t); /* NULL means there are no page tables yet */

void kernel_set_map_mmio(void *(*map)(uint64_t phys, uint64_t len))
{
	map_mmio_fn = map;
	map_registers(LAPIC_PHYS, 0x1000); /* never read; so that nobody takes them for memory */
}

void *map_registers(uint64_t phys, uint64_t len)
{
	void *p = map_mmio_fn ? map_mmio_fn(phys, len) : mmu_ram(phys);

	if (!p)
		panic("expected room to map device registers at 0x%lx, found none", phys);
	return p;
}

void apic_early_init(void)
{
}

void apic_init_cpu(void)
{
	this_cpu()->apic_id = apic_id();
	ready = true;
	timer_restart();
}

bool apic_ready(void)
{
	return ready;
}

uint32_t apic_id(void)
{
	return lcpu->id;
}

void apic_eoi(void)
{
}

/* A tick is a nanosecond. */
void apic_timer_start(uint32_t ticks)
{
	cpu_set_timer(ticks && ready ? machine_now + ticks : NEVER);
}

uint32_t apic_timer_count(void)
{
	return UINT32_MAX - (uint32_t)machine_now;
}

void apic_send_ipi(uint32_t apic_id, uint8_t vector)
{
	cpu_raise(apic_id, vector);
}

void apic_send_init(uint32_t apic_id)
{
	(void)apic_id;
}

/* The CPU starts at `page`: what boot code copied there tells where to go on. */
void apic_send_startup(uint32_t apic_id, uint8_t page)
{
	const struct ap_params *p = mmu_ram((uint64_t)page << 12);

	if (apic_id >= machine.cpus || lcpus[apic_id].started)
		return;
	cpu_start(apic_id, p->entry, p->cpu, p->stack, p->cr3);
	lcpus[apic_id].cr0 = p->cr0;
	lcpus[apic_id].cr4 = p->cr4;
	lcpus[apic_id].efer = p->efer;
}

void apic_send_nmi(uint32_t apic_id)
{
	cpu_raise_nmi(apic_id);
}

void apic_stop_others(void)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (&lcpus[i] != lcpu && lcpus[i].started)
			cpu_raise_nmi(i);
}

void apic_set_ioapic(uint64_t phys, unsigned gsi_base)
{
	kprintf("boot: I/O APIC at 0x%lx, interrupts %u..%u\n", phys, gsi_base,
		gsi_base + PINS - 1);
	console_use_interrupt(gsi_base, PINS);
}

int irq_route_gsi(unsigned gsi, int vector, bool level, bool active_low)
{
	(void)level, (void)active_low;
	if (vector < VEC_DEVICE_FIRST || vector > VEC_DEVICE_LAST)
		return -EINVAL;
	if (gsi >= PINS)
		return -ENXIO;
	if (gsi == COM1_GSI)
		uart_route(vector);
	return 0;
}
