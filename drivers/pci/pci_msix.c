/* SPDX-License-Identifier: MIT */
/*
 * MSI-X: interrupts as messages whose addresses stand in a table inside a BAR.
 *
 * Control (capability + 2): bits 0–10 last entry, bit 14 all masked, bit 15 on. Table (+ 4): low
 * three bits which BAR, the rest the offset. An entry: address (64 bit), data, mask (bit 0).
 * Source: PCI Local Bus 3.0, 6.8.2.
 */
#include "drivers/pci/internal.h"

#define CONTROL	 2
#define TABLE	 4
#define LAST	 0x07ffu
#define MASK_ALL 0x4000u
#define ENABLE	 0x8000u
#define ENTRY	 16u /* bytes */

static uint16_t change(const struct pci_device *d, unsigned cap, uint16_t set, uint16_t clear)
{
	uint16_t v = (uint16_t)((pci_read16(d, cap + CONTROL) | set) & ~clear);

	pci_write16(d, cap + CONTROL, v);
	return v;
}

int pci_msix_enable(struct pci_device *d, unsigned entry, uint32_t apic_id, int vector)
{
	unsigned cap = pci_find_cap(d, PCI_CAP_MSIX), bar;
	volatile uint32_t *at;
	uint64_t off;
	char *base;

	if (!cap)
		return -ENODEV;
	if (vector < 16 || vector > 254 || apic_id > 254 ||
	    entry > (pci_read16(d, cap + CONTROL) & LAST))
		return -EINVAL;
	bar = pci_read32(d, cap + TABLE) & 7;
	off = (pci_read32(d, cap + TABLE) & ~7u) + (uint64_t)entry * ENTRY;
	if (bar > 5 || off + ENTRY > d->bar[bar].size)
		return -EIO;
	base = pci_map_bar(d, bar);
	if (!base)
		return -ENOMEM;
	at = (volatile uint32_t *)(base + off);
	/* All masked while it is written, else half an address would be a message to nowhere. */
	change(d, cap, ENABLE | MASK_ALL, 0);
	at[0] = 0xfee00000u | apic_id << 12;
	at[1] = 0;
	at[2] = (uint32_t)vector;
	at[3] = 0;
	change(d, cap, 0, MASK_ALL);
	return 0;
}

void pci_msix_disable(struct pci_device *d)
{
	unsigned cap = pci_find_cap(d, PCI_CAP_MSIX);

	if (cap)
		change(d, cap, 0, ENABLE);
}
