/* SPDX-License-Identifier: MIT */
/*
 * Interrupt controllers: the local APIC of each CPU (xAPIC, memory mapped; Intel SDM vol. 3,
 * ch. 10) and the I/O APICs that turn a device's wire into a message to one of them (82093AA data
 * sheet).
 *
 * All local APICs appear at the same address; each CPU sees its own. Device interrupts go to the
 * boot CPU: simple, and the same in every run. Registers are reached through the boot identity map
 * until the mm floor hands a mapping function down.
 */
#include "kernel/console/internal.h"
#include "kernel/cpu/internal.h"
#include "kernel/time/internal.h"
#include "kernel/trap/internal.h"

#define LAPIC_PHYS 0xfee00000ull
#define LAPIC_LEN  0x1000

/* Register offsets in bytes. */
enum {
	LAPIC_ID = 0x20,
	LAPIC_TPR = 0x80,
	LAPIC_EOI = 0xb0,
	LAPIC_SPURIOUS = 0xf0,
	LAPIC_ICR_LOW = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_COUNT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};
#define SPURIOUS_ENABLE	 (1u << 8)
#define LVT_MASKED	 (1u << 16)
#define LVT_NMI		 (4u << 8)
#define DIVIDE_BY_1	 0xbu
#define ICR_PENDING	 (1u << 12)
#define ICR_FIXED	 (1u << 14) /* level assert */
#define ICR_NMI		 (4u << 8 | 1u << 14)
#define ICR_INIT	 (5u << 8 | 1u << 14)
#define ICR_STARTUP	 (6u << 8 | 1u << 14)
#define ICR_ALL_BUT_SELF (3u << 18)
#define MSR_APIC_BASE	 0x1bu
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_X2APIC (1u << 10)

#define MAX_IOAPICS	 8
#define REDIR_MASKED	 (1u << 16)
#define REDIR_LEVEL	 (1u << 15)
#define REDIR_ACTIVE_LOW (1u << 13)

struct ioapic {
	volatile uint32_t *regs; /* [0] selects a register, [4] is it */
	unsigned gsi_base, pins;
};

static volatile uint32_t *lapic; /* NULL means not reached yet */
static bool ready;		 /* zero means interrupts of ours cannot come yet */
static struct ioapic ioapics[MAX_IOAPICS];
static unsigned nr_ioapics;
static struct spinlock ioapic_lock = SPINLOCK_INIT("I/O APIC registers");
static void *(*map_mmio_fn)(uint64_t, uint64_t); /* NULL means the boot identity map is in force */

/* boot CPU, once the mm floor maps registers */
static void apic_remap(void)
{
	if (lapic)
		lapic = map_registers(LAPIC_PHYS, LAPIC_LEN);
}

void kernel_set_map_mmio(void *(*map)(uint64_t phys, uint64_t len))
{
	map_mmio_fn = map;
	apic_remap();
}

void *map_registers(uint64_t phys, uint64_t len)
{
	void *p = map_mmio_fn ? map_mmio_fn(phys, len) : (void *)phys;

	if (!p)
		panic("expected room to map device registers at 0x%lx, found none", phys);
	return p;
}

static uint32_t get(unsigned reg)
{
	return lapic[reg / 4];
}

static void put(unsigned reg, uint32_t v)
{
	lapic[reg / 4] = v;
}

void apic_early_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if (base & APIC_BASE_X2APIC) {
		kprintf("boot: the firmware left the APIC in x2APIC mode; Holdfast drives xAPIC: "
			"turn x2APIC off in the firmware or with -cpu …,-x2apic\n");
		machine_exit(EXIT_PANIC);
	}
	wrmsr(MSR_APIC_BASE, LAPIC_PHYS | (base & 0x100) | APIC_BASE_ENABLE);
	lapic = map_registers(LAPIC_PHYS, LAPIC_LEN);
	put(LAPIC_SPURIOUS, SPURIOUS_ENABLE | VEC_SPURIOUS);
	put(LAPIC_LVT_TIMER, LVT_MASKED);
	put(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
}

/* This CPU: accept everything, timer one-shot on our vector. Interrupts off. */
void apic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	wrmsr(MSR_APIC_BASE, LAPIC_PHYS | (base & 0x100) | APIC_BASE_ENABLE);
	put(LAPIC_SPURIOUS, SPURIOUS_ENABLE | VEC_SPURIOUS);
	put(LAPIC_TPR, 0);
	put(LAPIC_LVT_LINT0, LVT_MASKED);
	put(LAPIC_LVT_LINT1, LVT_NMI);
	put(LAPIC_LVT_ERROR, LVT_MASKED);
	put(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	put(LAPIC_LVT_TIMER, VEC_TIMER);
	put(LAPIC_EOI, 0);
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
	return get(LAPIC_ID) >> 24;
}

void apic_eoi(void)
{
	put(LAPIC_EOI, 0);
}

void apic_timer_start(uint32_t ticks)
{
	put(LAPIC_TIMER_INITIAL, ticks);
}

uint32_t apic_timer_count(void)
{
	return get(LAPIC_TIMER_COUNT);
}

/* High half (target) before low half (command): the write to the low one sends. Interrupts off in
 * between, else a handler that sends too would change our target. */
static void send(uint32_t apic_id, uint32_t command)
{
	uint64_t flags = irq_save();

	while (get(LAPIC_ICR_LOW) & ICR_PENDING)
		cpu_pause();
	put(LAPIC_ICR_HIGH, apic_id << 24);
	put(LAPIC_ICR_LOW, command);
	irq_restore(flags);
}

void apic_send_ipi(uint32_t apic_id, uint8_t vector)
{
	send(apic_id, ICR_FIXED | vector);
}

void apic_send_init(uint32_t apic_id)
{
	send(apic_id, ICR_INIT);
}

void apic_send_startup(uint32_t apic_id, uint8_t page)
{
	send(apic_id, ICR_STARTUP | page);
}

void apic_send_nmi(uint32_t apic_id)
{
	send(apic_id, ICR_NMI);
}

void apic_stop_others(void)
{
	send(0, ICR_NMI | ICR_ALL_BUT_SELF);
}

static uint32_t ioapic_read(const struct ioapic *io, unsigned reg)
{
	io->regs[0] = reg;
	return io->regs[4];
}

static void ioapic_write(const struct ioapic *io, unsigned reg, uint32_t v)
{
	io->regs[0] = reg;
	io->regs[4] = v;
}

void apic_set_ioapic(uint64_t phys, unsigned gsi_base)
{
	struct ioapic *io = &ioapics[nr_ioapics];

	if (nr_ioapics == MAX_IOAPICS) {
		warn("I/O APIC at 0x%lx ignored: room for %u", phys, MAX_IOAPICS);
		return;
	}
	io->regs = map_registers(phys, 0x1000);
	io->gsi_base = gsi_base;
	io->pins = (ioapic_read(io, 1) >> 16 & 0xff) + 1;
	for (unsigned pin = 0; pin < io->pins; pin++)
		ioapic_write(io, 0x10 + 2 * pin, REDIR_MASKED);
	nr_ioapics++;
	kprintf("boot: I/O APIC at 0x%lx, interrupts %u..%u\n", phys, gsi_base,
		gsi_base + io->pins - 1);
	console_use_interrupt(gsi_base, io->pins);
}

int irq_route_gsi(unsigned gsi, int vector, bool level, bool active_low)
{
	uint32_t low = (uint32_t)vector;

	if (vector < VEC_DEVICE_FIRST || vector > VEC_DEVICE_LAST)
		return -EINVAL;
	low |= (level ? REDIR_LEVEL : 0) | (active_low ? REDIR_ACTIVE_LOW : 0);
	for (unsigned i = 0; i < nr_ioapics; i++) {
		const struct ioapic *io = &ioapics[i];
		unsigned pin = gsi - io->gsi_base;
		uint64_t flags;

		if (gsi < io->gsi_base || pin >= io->pins)
			continue;
		flags = spin_lock_irqsave(&ioapic_lock);
		/* Target before the word that unmasks, else the first one goes astray. */
		ioapic_write(io, 0x11 + 2 * pin, cpus[0].apic_id << 24);
		ioapic_write(io, 0x10 + 2 * pin, low);
		spin_unlock_irqrestore(&ioapic_lock, flags);
		return 0;
	}
	return -ENXIO;
}
