/* SPDX-License-Identifier: MIT */
/*
 * What a PCI function is, in words, and which ones lie idle because nobody here drives them.
 *
 * A name by vendor and device where one is known, else by class. Once at boot a line tells of every
 * function that does work for its user in other systems and none here, so that nobody looks for the
 * fault in a device that was never touched. What a board always has and nobody misses (bridges, the
 * screen, the SMBus, the chipset's own disk controller) is not in that line.
 */
#include "drivers/pci/internal.h"

#define SMBUS 0x0c05u

static const struct {
	uint16_t vendor, device;
	const char *name;
} ids[] = {
	{0x1234, 0x1111, "VGA"},
	{0x1234, 0x11e8, "edu"},
	{0x1af4, 0x1000, "virtio-net"},
	{0x1af4, 0x1001, "virtio-blk (legacy)"},
	{0x1af4, 0x1003, "virtio-console"},
	{0x1af4, 0x1004, "virtio-scsi"},
	{0x1af4, 0x1005, "virtio-rng"},
	{0x1af4, 0x1041, "virtio-net"},
	{0x1af4, 0x1042, "virtio-blk"},
	{0x1af4, 0x1043, "virtio-console"},
	{0x1af4, 0x1044, "virtio-rng"},
	{0x1af4, 0x1045, "virtio-balloon"},
	{0x1af4, 0x1048, "virtio-scsi"},
	{0x1af4, 0x1050, "virtio-gpu"},
	{0x1af4, 0x1052, "virtio-input"},
	{0x1af4, 0x1058, "virtio-mem"},
	{0x1af4, 0x105a, "virtio-fs"},
	{0x1af4, 0x105b, "virtio-pmem"},
	{0x1af4, 0x1110, "ivshmem"},
	{0x8086, 0x100e, "e1000 Ethernet"},
	{0x8086, 0x10d3, "e1000e Ethernet"},
	{0x8086, 0x2922, "SATA of the chipset"},
};

static const struct {
	uint16_t class; /* and subclass */
	const char *name;
} classes[] = {
	{0x0100, "SCSI disk"},	{0x0101, "IDE"},	 {0x0106, "SATA"},
	{0x0108, "NVMe"},	{0x0200, "Ethernet"},	 {0x0300, "display"},
	{0x0502, "CXL memory"}, {0x0600, "host bridge"}, {0x0601, "ISA bridge"},
	{0x0604, "PCI bridge"}, {0x0806, "IOMMU"},	 {0x0c03, "USB"},
	{SMBUS, "SMBus"},
};

static uint16_t class_of(const struct pci_device *d)
{
	return (uint16_t)(d->class_code << 8 | d->subclass);
}

const char *pci_kind(const struct pci_device *d)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		if (ids[i].vendor == d->vendor && ids[i].device == d->device)
			return ids[i].name;
	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].class == class_of(d))
			return classes[i].name;
	return d->class_code == 1 ? "storage" : "other";
}

bool pci_idle(const struct pci_device *d)
{
	bool board = d->bridge || d->class_code == 3 || class_of(d) == SMBUS ||
		     (d->vendor == 0x8086 && d->device == 0x2922);

	return !d->driver && !board;
}

/* After every driver had its turn. */
static int tell_idle(const struct boot_info *bi)
{
	const struct pci_device *d;

	(void)bi;
	for (unsigned i = 0; (d = pci_at(i)); i++)
		if (pci_idle(d))
			kprintf("pci: %s at %s (%04x:%04x) is not used: there is no driver for "
				"it\n",
				pci_kind(d), d->name, d->vendor, d->device);
	return 0;
}
INITCALL(INIT_LATE, pci_idle, "devices without a driver", tell_idle);
