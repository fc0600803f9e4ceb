/* SPDX-License-Identifier: MIT */
/*
 * `pci`: the functions, their addresses, who drives them and whether they may write to memory.
 */
#include "drivers/pci/internal.h"

static void print_bar(const struct pci_device *d, unsigned n)
{
	const struct pci_bar *b = &d->bar[n];

	if (!b->size)
		return;
	kprintf("         BAR%u %s 0x%lx size 0x%lx%s%s\n", n, b->io ? "port" : "memory", b->phys,
		b->size, b->wide ? " 64-bit" : "", b->prefetchable ? " prefetchable" : "");
}

static void print_function(const struct pci_device *d)
{
	kprintf("%s  %04x:%04x class %02x%02x %s", d->name, d->vendor, d->device, d->class_code,
		d->subclass, pci_kind(d));
	if (d->header == 1)
		kprintf(" to bus %u", d->secondary);
	kprintf(", %s%s%s", d->driver ? "driver " : "no driver", d->driver ? d->driver : "",
		pci_idle(d) ? ": not used" : "");
	if (!d->bridge)
		kprintf(", bus mastering %s%s", pci_is_bus_master(d) ? "on" : "off",
			pci_find_cap(d, PCI_CAP_MSI) ? ", MSI" : "");
	kprintf("\n");
	for (unsigned n = 0; n < 6; n++)
		print_bar(d, n);
}

static void dump_function(const struct pci_device *d)
{
	print_function(d);
	for (unsigned off = 0; off < 256; off += 16)
		kprintf("%02x  %08x %08x %08x %08x\n", off, pci_read32(d, off),
			pci_read32(d, off + 4), pci_read32(d, off + 8), pci_read32(d, off + 12));
}

static int cmd_pci(int argc, char **argv)
{
	struct pci_device *d;

	if (argc > 2)
		return shell_usage();
	for (unsigned i = 0; (d = pci_at(i)); i++) {
		if (argc == 1) {
			print_function(d);
		} else if (!strcmp(argv[1], d->name)) {
			dump_function(d);
			return 0;
		}
	}
	if (argc == 2)
		return shell_fail(-ENODEV, "there is no function %s; `pci` lists them, as 00:1f.2",
				  argv[1]);
	kprintf("%u functions, configuration by %s\n", pci_count(), pci_access_name());
	return 0;
}
static void offer_functions(struct shell_offers *o)
{
	for (unsigned i = 0; pci_at(i); i++)
		shell_offer(o, pci_at(i)->name);
}
SHELL_KIND(function, "BUS:DEV.FN", NULL, offer_functions);
SHELL_COMMAND(pci, cmd_pci, "pci [BUS:DEV.FN]",
	      "PCI functions: ids, class, driver, bus mastering, addresses\n"
	      "with a function: its configuration registers too");
SHELL_GROUP(devices, 60, "drivers/", "firmware tables and devices");
