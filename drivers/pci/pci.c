/* SPDX-License-Identifier: MIT */
/*
 * PCI: the scan, and everything a driver may ask of its function.
 *
 * Scan: bus 0 first, then the buses behind bridges, as numbered by the firmware. Found means: the
 * vendor id is not 0xffff. First pass: list, and bus mastering off at once. Second pass: sizes of
 * the base address registers, by the classical way (write ones, see which stick, put it back) with
 * decoding off in between, else the device would answer at a nonsense address meanwhile.
 */
#include "drivers/drivers.h"
#include "drivers/pci/internal.h"

#define MAX_FUNCTIONS 256
#define HEADER_MULTI  0x80u
#define STATUS_CAPS   0x10u
#define CAP_STEPS     48 /* (256 - 64) / 4: more capabilities do not fit; then the list is a loop */

static struct pci_device *functions[MAX_FUNCTIONS]; /* constant after boot but for claims */
static unsigned nr_functions;
static struct spinlock command_lock = SPINLOCK_INIT("PCI command registers");

unsigned pci_count(void)
{
	return nr_functions;
}

struct pci_device *pci_at(unsigned i)
{
	return i < nr_functions ? functions[i] : NULL;
}

struct pci_device *pci_find(uint16_t vendor, uint16_t device, unsigned n)
{
	for (unsigned i = 0; i < nr_functions; i++) {
		if (functions[i]->vendor == vendor && functions[i]->device == device && !n--)
			return functions[i];
	}
	return NULL;
}

/* --- scan --- */

static void read_identity(struct pci_device *d)
{
	uint32_t id = pci_read32(d, 0x00), class = pci_read32(d, 0x08);

	snprintf(d->name, sizeof(d->name), "%02x:%02x.%x", d->bus, d->dev & 31u, d->fn & 7u);
	d->vendor = (uint16_t)id;
	d->device = (uint16_t)(id >> 16);
	d->revision = (uint8_t) class;
	d->prog_if = (uint8_t)(class >> 8);
	d->subclass = (uint8_t)(class >> 16);
	d->class_code = (uint8_t)(class >> 24);
	d->header = pci_read8(d, 0x0e) & 0x7f;
	d->bridge = d->class_code == 6 || d->header;
	d->irq_pin = pci_read8(d, 0x3d);
	if (d->header == 1)
		d->secondary = pci_read8(d, 0x19);
	if (d->header)
		return;
	d->sub_vendor = pci_read16(d, 0x2c);
	d->sub_device = pci_read16(d, 0x2e);
}

bool pci_is_bus_master(const struct pci_device *d)
{
	return pci_read16(d, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

/* Set and clear bits of the command register in one step against other CPUs. */
static void change_command(const struct pci_device *d, uint16_t set, uint16_t clear)
{
	uint64_t flags = spin_lock_irqsave(&command_lock);

	pci_write16(d, PCI_COMMAND, (uint16_t)((pci_read16(d, PCI_COMMAND) | set) & ~clear));
	spin_unlock_irqrestore(&command_lock, flags);
}

/* List one function if it is there; one that is not listed may not write to memory either. True: it
 * is there, and says it has siblings. */
static bool add_function(uint8_t bus, uint8_t dev, uint8_t fn)
{
	struct pci_device probe = {.bus = bus, .dev = dev, .fn = fn}, *found;
	bool room = nr_functions < MAX_FUNCTIONS;

	if ((pci_read32(&probe, 0) & 0xffff) == 0xffff)
		return false;
	read_identity(&probe);
	if (!probe.bridge) {
		probe.master_at_boot = pci_is_bus_master(&probe);
		change_command(&probe, 0, PCI_COMMAND_MASTER);
	}
	found = room ? malloc(sizeof(*found)) : NULL;
	if (found) {
		*found = probe;
		functions[nr_functions++] = found;
	} else if (room) {
		warn("PCI function %s ignored: no memory", probe.name);
	} else {
		warn("PCI function %s ignored: room for %u", probe.name, MAX_FUNCTIONS);
	}
	return pci_read8(&probe, 0x0e) & HEADER_MULTI;
}

static void scan_bus(uint8_t bus)
{
	pci_map_bus(bus);
	for (uint8_t dev = 0; dev < 32; dev++) {
		if (!add_function(bus, dev, 0))
			continue;
		for (uint8_t fn = 1; fn < 8; fn++)
			add_function(bus, dev, fn);
	}
}

/* Every bus once: a bridge that names its own or an earlier bus leads nowhere. */
static void scan_all(void)
{
	static bool seen[256];

	memset(seen, 0, sizeof(seen));
	seen[0] = true;
	scan_bus(0);
	for (unsigned i = 0; i < nr_functions; i++) { /* grows while we look */
		uint8_t bus = functions[i]->secondary;

		if (functions[i]->header != 1 || !bus || seen[bus])
			continue;
		seen[bus] = true;
		scan_bus(bus);
	}
}

/* --- base address registers --- */

/* Which bits of the register stick; its value is as before afterwards. */
static uint32_t probe_bits(const struct pci_device *d, unsigned off)
{
	uint32_t old = pci_read32(d, off), bits;

	pci_write32(d, off, 0xffffffff);
	bits = pci_read32(d, off);
	pci_write32(d, off, old);
	return bits;
}

static void size_io(struct pci_bar *b, uint32_t value, uint32_t bits)
{
	b->io = true;
	b->phys = value & ~3u;
	bits &= 0xfffc;
	b->size = bits ? (~bits & 0xffff) + 1 : 0;
}

static void size_memory(const struct pci_device *d, struct pci_bar *b, unsigned off, uint32_t value,
			uint32_t bits)
{
	uint64_t mask = bits & ~15u;

	b->wide = (value & 6) == 4;
	b->prefetchable = value & 8;
	b->phys = value & ~15u;
	if (b->wide) {
		b->phys |= (uint64_t)pci_read32(d, off + 4) << 32;
		mask |= (uint64_t)probe_bits(d, off + 4) << 32;
	} else if (mask) {
		mask |= 0xffffffff00000000ull;
	}
	b->size = mask ? ~mask + 1 : 0;
}

static void size_bars(struct pci_device *d)
{
	uint16_t command = pci_read16(d, PCI_COMMAND);

	if (d->bridge)
		return;
	change_command(d, 0, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	for (unsigned n = 0; n < 6; n++) {
		unsigned off = 0x10 + 4 * n;
		uint32_t value = pci_read32(d, off), bits = probe_bits(d, off);

		if (value & 1)
			size_io(&d->bar[n], value, bits);
		else if (n < 5 || (value & 6) != 4) /* a 64-bit one needs the next register */
			size_memory(d, &d->bar[n], off, value, bits);
		n += d->bar[n].wide;
	}
	pci_write16(d, PCI_COMMAND, command);
}

static int pci_init(const struct boot_info *bi)
{
	unsigned masters = 0;

	(void)bi;
	scan_all();
	for (unsigned i = 0; i < nr_functions; i++) {
		size_bars(functions[i]);
		masters += functions[i]->master_at_boot;
	}
	kprintf("pci: %u functions by %s; bus mastering off (the firmware had left it on for %u)\n",
		nr_functions, pci_access_name(), masters);
	return nr_functions ? 0 : -ENODEV;
}
INITCALL(INIT_BUS, pci, "PCI", pci_init);

/* --- for drivers --- */

int pci_claim(struct pci_device *d, const char *driver)
{
	const char *nobody = NULL;

	return __atomic_compare_exchange_n(&d->driver, &nobody, driver, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE)
		       ? 0
		       : -EBUSY;
}

int pci_set_bus_master(struct pci_device *d, bool on)
{
	if (d->bridge)
		return -EPERM;
	ASSERT(!on || d->driver, "%s must be claimed before it may master the bus", d->name);
	change_command(d, on ? PCI_COMMAND_MASTER : 0, on ? 0 : PCI_COMMAND_MASTER);
	return 0;
}

void *pci_map_bar(struct pci_device *d, unsigned n)
{
	struct pci_bar *b = n < 6 ? &d->bar[n] : NULL;

	if (!b || !b->size || b->io || !b->phys)
		return NULL;
	if (!b->mapped)
		b->mapped = map_mmio(b->phys, b->size);
	if (b->mapped)
		change_command(d, PCI_COMMAND_MEMORY, 0);
	return b->mapped;
}

unsigned pci_find_cap(const struct pci_device *d, uint8_t id)
{
	unsigned off;

	if (!(pci_read16(d, 0x06) & STATUS_CAPS))
		return 0;
	off = pci_read8(d, 0x34) & 0xfc;
	for (unsigned step = 0; off >= 0x40 && step < CAP_STEPS; step++) {
		if (pci_read8(d, off) == id)
			return off;
		off = pci_read8(d, off + 1) & 0xfc;
	}
	return 0;
}

/* MSI capability (PCI 3.0, 6.8.1): u16 control @2, address @4, data behind a 4 or 8 byte address.
 */
#define MSI_CONTROL 2
#define MSI_ENABLE  0x0001u
#define MSI_COUNT   0x0070u
#define MSI_64	    0x0080u
#define MSI_MASKING 0x0100u

int pci_msi_enable(struct pci_device *d, uint32_t apic_id, int vector)
{
	unsigned cap = pci_find_cap(d, PCI_CAP_MSI);
	unsigned data;
	uint16_t control;

	if (vector < 16 || vector > 254 || apic_id > 254)
		return -EINVAL;
	if (!cap)
		return -ENODEV;
	control = pci_read16(d, cap + MSI_CONTROL);
	data = cap + (control & MSI_64 ? 12 : 8);
	/* Address and data before enable, else the first message goes to an old place. */
	pci_write16(d, cap + MSI_CONTROL, control & (uint16_t) ~(MSI_ENABLE | MSI_COUNT));
	pci_write32(d, cap + 4, 0xfee00000u | apic_id << 12);
	if (control & MSI_64)
		pci_write32(d, cap + 8, 0);
	pci_write16(d, data, (uint16_t)vector);
	if (control & MSI_MASKING)
		pci_write32(d, data + 4, 0);
	change_command(d, PCI_COMMAND_NOINTX, 0);
	pci_write16(d, cap + MSI_CONTROL, (control & (uint16_t)~MSI_COUNT) | MSI_ENABLE);
	return 0;
}
