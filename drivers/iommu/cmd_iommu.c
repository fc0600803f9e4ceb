/* SPDX-License-Identifier: MIT */
/* `iommu`: units, devices, what each may reach, and what was kept from memory. */
#include "drivers/drivers.h"
#include "drivers/iommu/internal.h"

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	kprintf("%s\n", line);
}

static void print_unit(const struct vtd *u)
{
	if (u->refused) {
		kprintf("%s at 0x%lx is not used: %s\n", u->name, u->unit->base, u->refused);
		return;
	}
	if (u->dead)
		kprintf("%s: %s; the devices behind it were stopped\n", u->name, u->dead);
	kprintf("%s: tables of %u levels, %u address bits, invalidation by %s: %lu so far\n",
		u->name, u->levels, u->width, u->queued ? "queue" : "registers", u->invalidations);
	kprintf("  version %u.%u at 0x%lx, pages of 4 KiB%s%s, %u fault record(s), %s\n",
		vtd_read32(u, VTD_VER) >> 4 & 15, vtd_read32(u, VTD_VER) & 15, u->unit->base,
		u->large & 1 ? ", 2 MiB" : "", u->large & 2 ? ", 1 GiB" : "",
		(unsigned)(u->cap >> 40 & 0xff) + 1,
		u->ecap & 1 ? "looks into the CPU's caches" : "tables are written back");
}

static const char *direction(enum dma_direction dir)
{
	static const char *const name[] = {[DMA_TO_DEVICE] = "reads",
					   [DMA_FROM_DEVICE] = "writes",
					   [DMA_BOTH] = "reads and writes"};

	return name[dir];
}

#define SHOWN 16u /* mappings of a domain; of more, the number is told */

/* A copy: the console is slow, and the lock is taken by interrupts. */
struct shown {
	uint64_t bus, pages;
	enum dma_direction dir;
	bool cut;
	char what[32];
};

static void print_domain(struct iommu_domain *d)
{
	static struct shown copy[SHOWN]; /* one `iommu` at a time, by `busy` */
	uint64_t flags = spin_lock_irqsave(&d->lock);
	uint64_t nr = 0, tables = d->tables.nr_tables, leaves = slpt_leaves(&d->tables);
	const struct dma_mapping *m;

	TAILQ_FOREACH (m, &d->list, link) {
		if (nr < SHOWN) {
			copy[nr] = (struct shown){m->bus, m->nr, m->dir, m->cut, ""};
			snprintf(copy[nr].what, sizeof(copy[nr].what), "%s",
				 m->what ? m->what : "no name");
		}
		nr++;
	}
	spin_unlock_irqrestore(&d->lock, flags);
	kprintf("  domain %u of %s: %lu mapping(s), %lu leaves in %lu tables\n", d->id,
		d->unit->name, nr, leaves, tables);
	for (uint64_t i = 0; i < MIN(nr, (uint64_t)SHOWN); i++)
		kprintf("    0x%lx - 0x%lx, %lu page(s), the device %s%s: %s\n", copy[i].bus,
			copy[i].bus + copy[i].pages * PAGE_SIZE - 1, copy[i].pages,
			direction(copy[i].dir), copy[i].cut ? ", cut: its accesses are faults" : "",
			copy[i].what);
	if (nr > SHOWN)
		kprintf("    and %lu more\n", nr - SHOWN);
}

static void print_dma_device(const struct dma_device *dev)
{
	kprintf("%s (%s): %lu mapping(s)", dev->name, dev->pci->name, dev->mappings);
	if (!dev->domain) {
		kprintf(", bus addresses are physical: %s\n", dev->direct);
		return;
	}
	kprintf("\n");
	print_domain(dev->domain);
}

static void print_faults(struct vtd *u)
{
	static struct vtd_fault_log copy;
	uint64_t flags, first;
	char text[120], who[40];

	vtd_take_faults(u);
	flags = spin_lock_irqsave(&u->lock);
	copy = u->log;
	spin_unlock_irqrestore(&u->lock, flags);
	first = copy.seen - MIN(copy.seen, (uint64_t)VTD_FAULT_LOG);
	kprintf("%s: %lu fault(s) recorded%s\n", u->name, copy.seen,
		first ? ", the last ones were" : "");
	for (uint64_t n = first; n < copy.seen; n++) {
		const struct vtd_fault *f = &copy.last[n % VTD_FAULT_LOG];

		vtd_fault_text(f, text, sizeof(text));
		iommu_source_name(f->source, who, sizeof(who));
		kprintf("  %lu.%06lu s  %s, %s\n", f->at_ns / 1000000000, f->at_ns / 1000 % 1000000,
			who, text);
	}
	if (copy.overflows)
		kprintf("  and %lu time(s) there was no record left: some faults left no trace\n",
			copy.overflows);
}

static int cmd_iommu(int argc, char **argv)
{
	static struct mutex busy = MUTEX_INIT("iommu command");
	const struct dma_device *dev;
	bool table;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "table") != 0))
		return shell_usage();
	table = argc == 2;
	if (table && !dmar_get())
		return shell_fail(-ENODEV, "there is no DMAR table; QEMU has one with -device "
					   "intel-iommu");
	if (!mutex_trylock(&busy))
		return shell_fail(-EBUSY, "another iommu is printing; again in a moment");
	if (table)
		dmar_print(dmar_get(), print_line, NULL);
	else if (!vtd_nth(0))
		kprintf("no IOMMU is in use: devices reach all memory that they name\n");
	for (unsigned i = 0; !table && vtd_nth(i); i++)
		print_unit(vtd_nth(i));
	if (!table)
		TAILQ_FOREACH (dev, &dma_devices, link)
			print_dma_device(dev);
	for (unsigned i = 0; !table && vtd_nth(i); i++)
		if (!vtd_nth(i)->refused)
			print_faults(vtd_nth(i));
	mutex_unlock(&busy);
	return 0;
}
SHELL_COMMAND(iommu, cmd_iommu, "iommu [table]",
	      "units, devices, their domains and mappings, and the faults recorded\n"
	      "table: the firmware's DMAR, with its verdicts");
