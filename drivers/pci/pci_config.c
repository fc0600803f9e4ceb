/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space: two ways in.
 *
 * Enhanced (ECAM): each bus is 1 MiB of memory, 4 KiB per function, plain loads and stores; the
 * MCFG table says where. Each bus is mapped when it is first touched. Without an MCFG: an address
 * into port 0xcf8, data through 0xcfc, two steps that a lock keeps together.
 */
#include "drivers/acpi/acpi.h"
#include "drivers/pci/internal.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc

static struct spinlock ports_lock = SPINLOCK_INIT("PCI configuration ports");
static volatile uint8_t *bus_window[256]; /* NULL: not mapped, or no ECAM for this bus */

static const struct acpi_ecam *ecam_of(uint8_t bus)
{
	const struct acpi *a = acpi_get();

	for (unsigned i = 0; i < a->mcfg.nr; i++) {
		const struct acpi_ecam *e = &a->mcfg.ecam[i];

		if (!e->segment && bus >= e->start_bus && bus <= e->end_bus)
			return e;
	}
	return NULL;
}

void pci_map_bus(uint8_t bus)
{
	const struct acpi_ecam *e = ecam_of(bus);

	if (e && !bus_window[bus])
		bus_window[bus] = map_mmio(e->base + ((uint64_t)bus << 20), 1 << 20);
}

const char *pci_access_name(void)
{
	return bus_window[0] ? "ECAM" : "ports 0xcf8/0xcfc";
}

static volatile uint8_t *config_at(const struct pci_device *d, unsigned off)
{
	volatile uint8_t *w = bus_window[d->bus];

	return w ? w + ((unsigned)d->dev << 15 | (unsigned)d->fn << 12 | off) : NULL;
}

/* Select the register; the caller holds ports_lock and accesses CONFIG_DATA + (off & 3). */
static uint16_t select_port(const struct pci_device *d, unsigned off)
{
	assert_spin_held(&ports_lock);
	out32(CONFIG_ADDRESS, 1u << 31 | (uint32_t)d->bus << 16 | (uint32_t)d->dev << 11 |
				      (uint32_t)d->fn << 8 | (off & 0xfc));
	return (uint16_t)(CONFIG_DATA + (off & 3));
}

static uint32_t read_port(const struct pci_device *d, unsigned off, unsigned width)
{
	uint64_t flags = spin_lock_irqsave(&ports_lock);
	uint16_t port = select_port(d, off);
	uint32_t v = width == 1 ? in8(port) : width == 2 ? in16(port) : in32(port);

	spin_unlock_irqrestore(&ports_lock, flags);
	return v;
}

static void write_port(const struct pci_device *d, unsigned off, unsigned width, uint32_t v)
{
	uint64_t flags = spin_lock_irqsave(&ports_lock);
	uint16_t port = select_port(d, off);

	if (width == 1)
		out8(port, (uint8_t)v);
	else if (width == 2)
		out16(port, (uint16_t)v);
	else
		out32(port, v);
	spin_unlock_irqrestore(&ports_lock, flags);
}

/* Offsets come out of capability lists, and so from the device. */
static bool register_exists(unsigned off, unsigned width)
{
	return off + width <= 256 && !(off % width);
}

uint8_t pci_read8(const struct pci_device *d, unsigned off)
{
	volatile uint8_t *p = config_at(d, off);

	if (!register_exists(off, 1))
		return 0xff;
	return p ? *p : (uint8_t)read_port(d, off, 1);
}

uint16_t pci_read16(const struct pci_device *d, unsigned off)
{
	volatile uint16_t *p = (volatile uint16_t *)config_at(d, off);

	if (!register_exists(off, 2))
		return 0xffff;
	return p ? *p : (uint16_t)read_port(d, off, 2);
}

uint32_t pci_read32(const struct pci_device *d, unsigned off)
{
	volatile uint32_t *p = (volatile uint32_t *)config_at(d, off);

	if (!register_exists(off, 4))
		return 0xffffffff;
	return p ? *p : read_port(d, off, 4);
}

void pci_write8(const struct pci_device *d, unsigned off, uint8_t v)
{
	volatile uint8_t *p = config_at(d, off);

	if (!register_exists(off, 1))
		return;
	if (p)
		*p = v;
	else
		write_port(d, off, 1, v);
}

void pci_write16(const struct pci_device *d, unsigned off, uint16_t v)
{
	volatile uint16_t *p = (volatile uint16_t *)config_at(d, off);

	if (!register_exists(off, 2))
		return;
	if (p)
		*p = v;
	else
		write_port(d, off, 2, v);
}

void pci_write32(const struct pci_device *d, unsigned off, uint32_t v)
{
	volatile uint32_t *p = (volatile uint32_t *)config_at(d, off);

	if (!register_exists(off, 4))
		return;
	if (p)
		*p = v;
	else
		write_port(d, off, 4, v);
}

uint32_t pci_read32_ports(const struct pci_device *d, unsigned off)
{
	return register_exists(off, 4) ? read_port(d, off, 4) : 0xffffffff;
}
