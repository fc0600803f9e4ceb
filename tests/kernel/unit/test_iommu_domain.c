/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of how a device comes by its domain (iommu.*): memory that the firmware reserved for
 * it, memory that is missing while the domain is made, and a device that does not wait for it.
 *
 * An edu device with nothing to do is taken out of its domain, put into one that the test makes,
 * and back.
 */
#include "tests/kernel/lib/shot.h"

/* The second edu device, alone in its domain, on bus 0; NULL: *why says what is missing. */
static struct edu *lone_device(const char **why)
{
	struct edu *e = scratch_choose_edus(2) ? NULL : scratch_edu(1);

	*why = refusal();
	if (!e)
		return NULL;
	*why = edu_dma(e)->direct;
	if (!edu_dma(e)->domain)
		return NULL;
	*why = "it shares its domain, or lies behind a bridge";
	return edu_dma(e)->domain->users == 1 && !edu_dma(e)->pci->bus ? e : NULL;
}

/* One more reserved range in the table, for this function. */
static void reserve(struct dmar *table, const struct pci_device *pci, uint64_t base, uint64_t len)
{
	struct dmar_reserved *r;
	struct dmar_scope *s;

	r = &table->reserved[table->nr_reserved++];
	s = &table->scope[table->nr_scopes];
	*r = (struct dmar_reserved){.base = base,
				    .len = len,
				    .first = table->nr_scopes++,
				    .nr_scopes = 1,
				    .verdict = DMAR_ACCEPTED};
	*s = (struct dmar_scope){.kind = DMAR_ENDPOINT, .bus = pci->bus, .depth = 1};
	s->path[0].dev = pci->dev;
	s->path[0].fn = pci->fn;
}

/* The machine's table, and one reserved range for this function in it; of malloc(), NULL: no
 * memory.
 */
static struct dmar *reserving(const struct pci_device *pci, uint64_t base, uint64_t len)
{
	struct dmar *table = malloc(sizeof(*table));

	if (!table)
		return NULL;
	*table = *dmar_get();
	reserve(table, pci, base, len);
	return table;
}

/* dma_attach() with the first, the second, … allocation failing: how many failed before it went
 * well. *bad: what was not as it should be afterwards. */
static unsigned attach_after_failures(struct dma_device *dev, const struct pci_device *pci,
				      const char *name, unsigned *bad)
{
	uint16_t next = vtd_nth(0)->next_domain;
	bool failed = true;
	unsigned n = 0;

	for (; failed && n < 40; n++) {
		uint64_t free = frame_stats().free;
		const struct dma_device *other;
		int err;

		alloc_fail_nth(n + 1);
		err = dma_attach(dev, pci, name, true);
		alloc_fail_count(&failed);
		alloc_fail_nth(0);
		*bad += err != (failed ? -ENOMEM : 0);
		if (!failed)
			break;
		*bad += dev->domain != NULL || vtd_nth(0)->next_domain != next;
		*bad += n && frame_stats().free != free; /* the first may make the heap grow */
		TAILQ_FOREACH (other, &dma_devices, link)
			*bad += other == dev;
	}
	return n;
}

struct reserved {
	struct slpt_leaf leaf;
	bool there, kept; /* an entry leads from it; nobody is given it */
	int err, taken;	  /* of a write to it; of a mapping at it */
};

/* What a domain does with the reserved page at `base`; it is gone then. */
static void try_reserved(struct edu *e, uint64_t base, struct page *other, struct reserved *got)
{
	static struct dma_mapping nobodys;
	struct dma_mapping m = {.what = "over reserved memory"};
	struct dma_device *dev = edu_dma(e);

	got->there = slpt_lookup(&dev->domain->tables, base, &got->leaf);
	got->kept = iova_find(&dev->domain->space, base >> PAGE_SHIFT) != NULL;
	/* As the firmware's device would: an address that nobody mapped. */
	nobodys = (struct dma_mapping){.dev = dev, .nr = 1, .pfn = base >> PAGE_SHIFT, .bus = base};
	got->err = shot_fire(e, &nobodys, 0);
	got->taken = dma_map_at(dev, &m, base, &other, 1, DMA_BOTH);
	if (!got->taken)
		dma_unmap(&m);
	dma_detach(dev);
}

SELFTEST(iommu_reserved, "iommu.reserved-memory",
	 "memory that the firmware reserved for a device is where it says before the device can "
	 "reach anything, nobody is given its bus addresses, and a domain that finds no memory, at "
	 "whatever allocation, leaves nothing")
{
	const struct dmar *machines = dmar_get();
	struct dmar *table = NULL;
	struct page *p, *other = NULL;
	struct reserved got = {.there = false};
	const struct pci_device *pci;
	struct dma_device *dev;
	uint64_t before, base;
	unsigned failures, bad = 0;
	const char *why;
	char name[8];

	struct edu *e = lone_device(&why);
	if (!e)
		SKIP("%s", why);
	p = plain_page_alloc();
	other = plain_page_alloc();
	EXPECT_OR(out, p && other, "no memory");
	base = page_to_phys(p);
	table = reserving(edu_dma(e)->pci, base, PAGE_SIZE);
	EXPECT_OR(out, table, "no memory");
	before = iommu_faults();
	dev = edu_dma(e);
	pci = dev->pci;
	snprintf(name, sizeof(name), "%s", dev->name);
	dmar_divert(table);
	dma_detach(dev);
	failures = attach_after_failures(dev, pci, name, &bad);
	if (dev->domain)
		try_reserved(e, base, other, &got);
	dmar_divert(machines);
	bad += dma_attach(dev, pci, name, true) != 0;
	EXPECT_OR(out, !bad && failures >= 4, "%u step(s) went wrong after %u failures", bad,
		  failures);
	EXPECT_OR(out,
		  got.there && got.leaf.phys == base && got.leaf.rights == (SLPT_READ | SLPT_WRITE),
		  "0x%lx leads to 0x%lx, rights %u", base, got.leaf.phys, got.leaf.rights);
	EXPECT_OR(out, got.kept && got.taken == -EEXIST, "its bus address was given out: error %d",
		  got.taken);
	EXPECT_OR(out, !got.err && shot_arrived(page_to_virt(p)) && iommu_faults() == before,
		  "error %d, %lu fault(s)", got.err, iommu_faults() - before);
	EXPECT_OR(out, dev->domain && !iova_find(&dev->domain->space, base >> PAGE_SHIFT),
		  "still reserved in the machine's own domain");
out:
	free(table);
	if (p)
		plain_page_free(p);
	if (other)
		plain_page_free(other);
}

/* Breaks it: slpt_init() of a domain with constants, or with the other ground. */
SELFTEST(iommu_offered, "iommu.tables-as-offered",
	 "the page tables of a domain have as many levels as the unit's registers let them have, "
	 "large pages of the sizes that it has, and are written back if it does not look into the "
	 "CPU's caches")
{
	const struct slpt *tables;
	const struct vtd *u;
	uint64_t cap, ecap;

	STOPPABLE(e);
	tables = &edu_dma(e)->domain->tables;
	u = edu_dma(e)->domain->unit;
	cap = vtd_read64(u, VTD_CAP);
	ecap = vtd_read64(u, VTD_ECAP);
	EXPECT(tables->levels == (cap & 1 << 10 ? 4 : 3), "%u levels, of 0x%lx", tables->levels,
	       cap);
	EXPECT(tables->large == (cap >> 34 & 3), "large pages %u, of 0x%lx", tables->large, cap);
	EXPECT(tables->ground->written == (ecap & 1 ? NULL : cache_writeback), "of 0x%lx", ecap);
}

#define MSI_END	 0xfef00000ull /* of the addresses that mean interrupts */
#define OVERLAPS 6u	       /* pages that the two ranges of a test have together */

/* How many pages from `base` on lead to themselves, and are kept. */
static unsigned as_they_are(const struct iommu_domain *d, uint64_t base, unsigned nr)
{
	unsigned n = 0;

	for (uint64_t at = base; at < base + nr * PAGE_SIZE; at += PAGE_SIZE) {
		struct slpt_leaf leaf;

		n += slpt_lookup(&d->tables, at, &leaf) && leaf.phys + (at - leaf.iova) == at &&
		     iova_find(&d->space, at >> PAGE_SHIFT);
	}
	return n;
}

/* Breaks it: keep() that leaves a range out because another one has a part of it. */
SELFTEST(iommu_overlaps, "iommu.reserved-overlaps",
	 "reserved ranges of one device that overlap, are named twice, or reach over the addresses "
	 "of "
	 "interrupts are all there and kept; one beyond the width of its domain is refused by a "
	 "sentence, and leaves nothing")
{
	const struct dmar *machines = dmar_get();
	struct dmar *table = NULL;
	uint64_t frame, beyond;
	unsigned there = 0, behind = 0;
	const struct pci_device *pci;
	struct dma_device *dev;
	const char *why;
	char name[8], said[200] = "";
	int err = 0, far = 0, back;

	struct edu *e = lone_device(&why);
	if (!e)
		SKIP("%s", why);
	frame = frame_alloc(3);
	EXPECT(frame, "no memory");
	dev = edu_dma(e);
	pci = dev->pci;
	beyond = dev->domain->tables.limit;
	snprintf(name, sizeof(name), "%s", dev->name);
	table = reserving(pci, frame, 4 * PAGE_SIZE);
	EXPECT_OR(out, table, "no memory");
	reserve(table, pci, frame + 2 * PAGE_SIZE, 4 * PAGE_SIZE);
	reserve(table, pci, frame, 4 * PAGE_SIZE);
	reserve(table, pci, MSI_END - PAGE_SIZE, 2 * PAGE_SIZE);
	dmar_divert(table);
	dma_detach(dev);
	err = dma_attach(dev, pci, name, true);
	if (!err) {
		there = as_they_are(dev->domain, frame, OVERLAPS);
		behind = as_they_are(dev->domain, MSI_END, 1);
		dma_detach(dev);
	}
	reserve(table, pci, beyond - PAGE_SIZE, 2 * PAGE_SIZE);
	refusal_clear();
	far = dma_attach(dev, pci, name, true);
	snprintf(said, sizeof(said), "%s", refusal());
	if (!far)
		dma_detach(dev);
	dmar_divert(machines);
	back = dma_attach(dev, pci, name, true);
	EXPECT_OR(out, !err && !back, "error %d; back in its own domain: %d", err, back);
	EXPECT_OR(out, there == OVERLAPS && behind == 1, "%u of %u pages; behind interrupts %u",
		  there, OVERLAPS, behind);
	EXPECT_OR(out, far == -EINVAL && strstr(said, name) && strstr(said, "address bits"),
		  "beyond its width: %d, %s", far, said);
out:
	free(table);
	frame_free(frame, 3);
}

/* Breaks it: find_or_make() that hands out a domain as the first device left it. */
SELFTEST(
	iommu_shared, "iommu.reserved-for-a-second",
	"memory reserved for the second device of a domain, as behind a bridge, is there when that "
	"one is attached; where the first one has those bus addresses the second is refused by a "
	"sentence")
{
	static struct dma_device twin; /* the same function again: it shares the domain */
	struct dma_mapping m = {.what = "of the first"};
	const struct dmar *machines = dmar_get();
	struct page *p = NULL, *other = NULL;
	unsigned led = 0, before = 0;
	struct dmar *table = NULL;
	int taken = -1, err = -1;
	char said[200] = "", name[8];
	const struct pci_device *pci;
	struct dma_device *dev;
	const char *why;
	int back = -1;

	struct edu *e = lone_device(&why);
	if (!e)
		SKIP("%s", why);
	dev = edu_dma(e);
	pci = dev->pci;
	snprintf(name, sizeof(name), "%s", dev->name);
	p = plain_page_alloc();
	other = plain_page_alloc();
	table = p ? reserving(pci, page_to_phys(p), PAGE_SIZE) : NULL;
	EXPECT_OR(out, other && table, "no memory");
	before = as_they_are(dev->domain, page_to_phys(p), 1);
	dmar_divert(table);
	if (!dma_map_at(dev, &m, page_to_phys(p), &other, 1, DMA_BOTH)) {
		refusal_clear();
		taken = dma_attach(&twin, pci, "twin", true);
		snprintf(said, sizeof(said), "%s", refusal());
		dma_unmap(&m);
		if (!taken)
			dma_detach(&twin);
	}
	err = dma_attach(&twin, pci, "twin", true);
	if (!err) {
		led = as_they_are(dev->domain, page_to_phys(p), 1);
		dma_detach(&twin);
	}
	dmar_divert(machines);
	dma_detach(dev); /* the domain goes, with what is led in it */
	back = dma_attach(dev, pci, name, true);
	EXPECT_OR(out, !before && !err && led == 1 && !back,
		  "led before %u, error %d, then %u; back %d", before, err, led, back);
	EXPECT_OR(out, taken == -EBUSY && strstr(said, "twin"), "over a mapping: %d, %s", taken,
		  said);
out:
	free(table);
	if (p)
		plain_page_free(p);
	if (other)
		plain_page_free(other);
}

SELFTEST(
	iommu_too_early, "iommu.before-its-domain",
	"a device that writes before it has a domain, as one that was left at work when the system "
	"began: memory is as before, and the record names its place and the reason")
{
	static struct dma_mapping nobodys;
	const struct vtd_fault *f;
	const struct pci_device *pci;
	struct dma_device *dev;
	char text[120] = "", who[40] = "", name[8];
	uint64_t before;
	struct vtd *u;
	struct page *p;
	const char *why;
	bool silent;
	int err;

	struct edu *e = lone_device(&why);
	if (!e)
		SKIP("%s", why);
	p = plain_page_alloc();
	EXPECT(p, "no memory");
	dev = edu_dma(e);
	pci = dev->pci;
	u = dev->domain->unit;
	before = iommu_faults();
	snprintf(name, sizeof(name), "%s", dev->name);
	dma_detach(dev);
	nobodys = (struct dma_mapping){
		.dev = dev, .nr = 1, .pfn = page_to_pfn(p), .bus = page_to_phys(p)};
	dev->direct = "it has none yet";
	TAILQ_INSERT_TAIL(&dma_devices, dev, link); /* for the text, which lies in memory */
	err = shot_fire(e, &nobodys, 0);
	TAILQ_REMOVE(&dma_devices, dev, link);
	silent = shot_nothing_at(page_to_virt(p));
	vtd_take_faults(u);
	f = u->log.seen ? &u->log.last[(u->log.seen - 1) % VTD_FAULT_LOG] : NULL;
	if (f) {
		vtd_fault_text(f, text, sizeof(text));
		iommu_source_name(f->source, who, sizeof(who));
	}
	err = err ?: dma_attach(dev, pci, name, true);
	shot_last_fault(dev);
	plain_page_free(p);
	EXPECT(!err && silent, "error %d, memory as before: %d", err, silent);
	EXPECT(iommu_faults() > before && strstr(text, "the device has no domain"),
	       "%lu fault(s): %s", iommu_faults() - before, text);
	EXPECT(strstr(who, "the function at ") && strstr(who, pci->name), "%s", who);
}
