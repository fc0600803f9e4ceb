/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of the IOMMU with a second kind of device: QEMU's iommu-testdev, which moves its bytes
 * while one of its registers is read. So what a test sees after that read is all that will come,
 * without a wait and without an interrupt.
 *
 * It writes the word PATTERN again and again to an address that it is given, looks for it at a
 * physical one, and tells what came of it.
 */
#include "tests/kernel/lib/shot.h"

#define VENDOR	0x1b36u
#define DEVICE	0x0005u /* another device of QEMU's has it as well, with a BAR of ports */
#define PATTERN 0x12345678u
#define LENGTH	64u
#define ARM	1u

enum {
	GO = 0x00,
	TO_LOW = 0x04,
	TO_HIGH = 0x08,
	LEN = 0x0c,
	RESULT = 0x10,
	BELL = 0x14,
	ATTRIBUTES = 0x18,
	LOOK_LOW = 0x1c,
	LOOK_HIGH = 0x20
};

static struct {
	volatile uint8_t *regs; /* NULL: not looked for, or not there */
	struct pci_device *pci;
	struct dma_device dma;
} master;

static uint32_t get(unsigned reg)
{
	return *(volatile uint32_t *)(master.regs + reg);
}

static void set(unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)(master.regs + reg) = v;
}

/* Attached for one test; a sentence, or NULL. */
static const char *master_start(void)
{
	struct pci_device *d = pci_find(VENDOR, DEVICE, 0);

	if (!d || d->bar[1].size || d->bar[0].io)
		return "no iommu-testdev (QEMU 11: QEMU_ARGS='-device iommu-testdev')";
	if (!master.regs) {
		if (pci_claim(d, "iommu-testdev"))
			return "the iommu-testdev has a driver";
		master.regs = pci_map_bar(d, 0);
		master.pci = d;
	}
	if (!master.regs)
		return "the iommu-testdev's registers cannot be mapped";
	if (dma_attach(&master.dma, d, "itd", true))
		return "no memory for a domain of the iommu-testdev";
	pci_set_bus_master(d, true);
	return NULL;
}

static void master_end(void)
{
	pci_set_bus_master(master.pci, false);
	dma_detach(&master.dma);
}

/* Writes LENGTH bytes to a bus address, and they are looked for in page p: 0 if they are there. */
static uint32_t transfer(uint64_t bus, const struct page *p)
{
	uint64_t at = page_to_phys(p);

	set(TO_LOW, (uint32_t)bus);
	set(TO_HIGH, (uint32_t)(bus >> 32));
	set(LOOK_LOW, (uint32_t)at);
	set(LOOK_HIGH, (uint32_t)(at >> 32));
	set(LEN, LENGTH);
	set(ATTRIBUTES, 0);
	set(BELL, ARM);
	get(GO);
	return get(RESULT);
}

static bool pattern_at(const struct page *p)
{
	const uint32_t *word = page_to_virt(p);

	for (unsigned i = 0; i < LENGTH / sizeof(*word); i++)
		if (word[i] != PATTERN)
			return false;
	return true;
}

/* Did one access fault since *seen, of this device, at this bus address? */
static bool faulted(uint64_t *seen, uint64_t bus)
{
	const struct vtd_fault *f = shot_last_fault(&master.dma);
	bool one = iommu_faults() == *seen + 1 && f && f->address == bus &&
		   f->source == master.dma.domain->requester && f->reason == 5 && !f->read;

	*seen = iommu_faults();
	return one;
}

SELFTEST(iommu_master, "iommu.second-master",
	 "a device that moves bytes while a register is read: each transfer arrives or faults at "
	 "once, through a mapping, one for reading, one that was cut, and behind its end")
{
	struct dma_mapping m = {.what = "of the second master"};
	uint64_t seen = iommu_faults(), bus = 0;
	unsigned bad = 0;
	struct page *p;
	const char *why = master_start();

	if (why)
		SKIP("%s", why);
	p = plain_page_alloc();
	EXPECT_OR(out, p && master.dma.domain, "no memory, or %s", master.dma.direct);
	for (unsigned round = 0; round < 2; round++) {
		EXPECT_OR(out, !dma_map(&master.dma, &m, &p, 1, DMA_FROM_DEVICE), "mapping");
		bus = m.bus;
		bad += transfer(bus, p) != 0 || !pattern_at(p) || iommu_faults() != seen;
		memset(page_to_virt(p), 0, PAGE_SIZE);
		if (round) /* cut, not told */
			bad += dma_cut(&m) != 0;
		else
			dma_unmap(&m);
		bad += transfer(bus, p) == 0 || !shot_nothing_at(page_to_virt(p));
		bad += !faulted(&seen, bus);
	}
	dma_unmap(&m);
	EXPECT_OR(out, !dma_map(&master.dma, &m, &p, 1, DMA_TO_DEVICE), "mapping for reading");
	bad += transfer(m.bus, p) == 0 || !shot_nothing_at(page_to_virt(p));
	bad += !faulted(&seen, m.bus);
	dma_unmap(&m);
	EXPECT_OR(out, !bad, "%u of the looks were wrong; its last result 0x%x", bad, get(RESULT));
out:
	if (p)
		plain_page_free(p);
	master_end();
}
