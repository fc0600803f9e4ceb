/* SPDX-License-Identifier: MIT */
/* Self-tests of the PCI provider. None disturbs a device that a driver has claimed. */
#include "drivers/pci/internal.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

SELFTEST(pci_host, "pci.host-bridge", "function 00:00.0 is there and is a host bridge")
{
	const struct pci_device *d = pci_at(0);

	EXPECT(d, "one PCI function or more");
	EXPECT(!d->bus && !d->dev && !d->fn, "the first is %s", d->name);
	EXPECT(d->class_code == 6 && d->subclass == 0, "class %02x%02x", d->class_code,
	       d->subclass);
}

SELFTEST(pci_both_ways, "pci.both-ways-agree",
	 "ECAM and the ports 0xcf8/0xcfc read the same ids and class for every function")
{
	const struct pci_device *d;

	if (strcmp(pci_access_name(), "ECAM") != 0)
		SKIP("no MCFG table, the ports are the only way");
	for (unsigned i = 0; (d = pci_at(i)); i++) {
		EXPECT(pci_read32(d, 0) == pci_read32_ports(d, 0), "%s ids 0x%08x, by ports 0x%08x",
		       d->name, pci_read32(d, 0), pci_read32_ports(d, 0));
		EXPECT(pci_read32(d, 8) == pci_read32_ports(d, 8),
		       "%s class 0x%08x, by ports 0x%08x", d->name, pci_read32(d, 8),
		       pci_read32_ports(d, 8));
	}
}

SELFTEST(pci_masters, "pci.only-claimed-masters",
	 "no function but a bridge may write to memory by itself unless a driver has claimed it")
{
	const struct pci_device *d;

	for (unsigned i = 0; (d = pci_at(i)); i++)
		EXPECT(d->bridge || d->driver || !pci_is_bus_master(d),
		       "%s (%04x:%04x) has bus mastering on and no driver", d->name, d->vendor,
		       d->device);
}

SELFTEST(pci_edu, "pci.edu-decoded",
	 "each edu device has class 00ff, a 1 MiB memory BAR that decodes, and an MSI capability")
{
	struct pci_device *d;

	if (!pci_find(EDU_VENDOR, EDU_DEVICE, 0))
		SKIP("no edu device");
	for (unsigned i = 0; (d = pci_find(EDU_VENDOR, EDU_DEVICE, i)); i++) {
		volatile uint32_t *regs = pci_map_bar(d, 0);

		EXPECT(d->class_code == 0 && d->subclass == 0xff, "%s class %02x%02x", d->name,
		       d->class_code, d->subclass);
		EXPECT(d->bar[0].size == MIB && !d->bar[0].io, "BAR0 size 0x%lx", d->bar[0].size);
		EXPECT(regs, "BAR0 can be mapped");
		EXPECT(regs[0] == 0x010000ed, "id register 0x%08x", regs[0]);
		EXPECT(pci_find_cap(d, PCI_CAP_MSI), "an MSI capability");
	}
}

/* What a compiler makes of a load and a look at what came: one instruction, as gcc 16 does. */
static unsigned flags_of_cmp(const volatile uint32_t *p)
{
	unsigned found;
	bool equal, below, less, sign;

	__asm__ volatile("cmpl $0x010000ed, %1" : "=@ccz"(equal) : "m"(*p));
	__asm__ volatile("cmpl $0x010000ee, %1" : "=@ccc"(below) : "m"(*p));
	__asm__ volatile("cmpl $0x81000000, %1" : "=@ccl"(less) : "m"(*p)); /* it is negative */
	__asm__ volatile("cmpl $0x020000ed, %1" : "=@ccs"(sign) : "m"(*p));
	found = equal | below << 1 | less << 2 | sign << 3;
	__asm__ volatile("cmpl $0x010000ec, %1" : "=@ccz"(equal) : "m"(*p));
	__asm__ volatile("cmpl $0x010000ec, %1" : "=@ccc"(below) : "m"(*p));
	return found | equal << 4 | below << 5;
}

static unsigned flags_of_test(const volatile uint32_t *p)
{
	bool none, some, even;

	__asm__ volatile("testl $0x12, %1" : "=@ccz"(none) : "m"(*p));
	__asm__ volatile("testl $0x01000000, %1" : "=@ccz"(some) : "m"(*p));
	__asm__ volatile("testl $0x21, %1" : "=@ccp"(even) : "m"(*p)); /* two bits of 0xed */
	return none | some << 1 | even << 2;
}

SELFTEST(pci_any_instruction, "pci.register-by-any-instruction",
	 "a register that is compared or tested where it lies gives the flags of its value")
{
	struct pci_device *d = pci_find(EDU_VENDOR, EDU_DEVICE, 0);
	volatile uint32_t *regs;

	if (!d)
		SKIP("no edu device");
	regs = pci_map_bar(d, 0);
	EXPECT(regs, "BAR0 can be mapped");
	EXPECT(flags_of_cmp(regs) == 0xb, "CMP: 0x%x", flags_of_cmp(regs));
	EXPECT(flags_of_test(regs) == 5, "TEST: 0x%x", flags_of_test(regs));
}

SELFTEST(pci_beyond, "pci.beyond-is-all-ones",
	 "a register that a capability puts behind the end of configuration space reads as all "
	 "ones, and stores to it change nothing")
{
	const struct pci_device *d = pci_at(0);
	uint32_t ids = pci_read32(d, 0);

	pci_write32(d, 254, 0);
	pci_write16(d, 256, 0);
	pci_write8(d, 256, 0);
	EXPECT(pci_read32(d, 254) == 0xffffffff && pci_read32(d, 0x10c) == 0xffffffff &&
		       pci_read16(d, 255) == 0xffff && pci_read8(d, 256) == 0xff,
	       "read 0x%x, 0x%x", pci_read32(d, 254), pci_read32(d, 0x10c));
	EXPECT(pci_read32(d, 0) == ids, "the ids are 0x%x, and were 0x%x", pci_read32(d, 0), ids);
}

/* A function nobody uses, to try things on; NULL: none. */
static struct pci_device *spare(void)
{
	struct pci_device *d;

	for (unsigned i = 0; (d = pci_at(i)); i++) {
		if (!d->bridge && !d->driver)
			return d;
	}
	return NULL;
}

SELFTEST(pci_toggle, "pci.bus-master-switch",
	 "bus mastering of a claimed function goes on and off and changes no other command bit")
{
	struct pci_device *d = spare();
	uint16_t before, on, off;

	if (!d)
		SKIP("no function without a driver");
	EXPECT(pci_claim(d, "selftest") == 0, "%s can be claimed", d->name);
	before = pci_read16(d, PCI_COMMAND);
	pci_set_bus_master(d, true);
	on = pci_read16(d, PCI_COMMAND);
	pci_set_bus_master(d, false);
	off = pci_read16(d, PCI_COMMAND);
	int second = pci_claim(d, "another");

	d->driver = NULL;
	EXPECT(on == (before | PCI_COMMAND_MASTER), "command 0x%04x, before 0x%04x", on, before);
	EXPECT(off == before, "command 0x%04x, before 0x%04x", off, before);
	EXPECT(second == -EBUSY, "a second claim gave %d", second);
}

SELFTEST(pci_bridges, "pci.bridges-left-alone",
	 "bus mastering of a bridge cannot be changed: -EPERM")
{
	struct pci_device *d = pci_at(0);
	uint16_t before;

	if (!d || !d->bridge)
		SKIP("no bridge");
	before = pci_read16(d, PCI_COMMAND);
	EXPECT(pci_set_bus_master(d, false) == -EPERM, "refused");
	EXPECT(pci_read16(d, PCI_COMMAND) == before, "command register as before");
}

SELFTEST(pci_bars, "pci.bars-disjoint",
	 "memory BARs that have an address are aligned to their size and do not overlap")
{
	const struct pci_device *d, *e;

	for (unsigned i = 0; i < 6 * pci_count(); i++) {
		const struct pci_bar *a = (d = pci_at(i / 6), &d->bar[i % 6]);

		if (!a->size || a->io || !a->phys)
			continue;
		EXPECT(IS_ALIGNED(a->phys, a->size), "%s BAR%u 0x%lx size 0x%lx", d->name, i % 6,
		       a->phys, a->size);
		for (unsigned k = 0; k < i; k++) {
			const struct pci_bar *b = (e = pci_at(k / 6), &e->bar[k % 6]);

			if (!b->size || b->io || !b->phys)
				continue;
			EXPECT(a->phys + a->size <= b->phys || b->phys + b->size <= a->phys,
			       "%s BAR%u and %s BAR%u at 0x%lx", d->name, i % 6, e->name, k % 6,
			       b->phys);
		}
	}
}
