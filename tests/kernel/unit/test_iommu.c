/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of the IOMMU (iommu.*): edu devices write through mappings, beside them, and behind
 * their end. What arrived is read from memory, what did not from the unit's fault records.
 */
#include "tests/kernel/lib/shot.h"

SELFTEST(iommu_arrives, "iommu.arrives",
	 "what a device writes to a bus address is in the page that is mapped there, for every "
	 "device, also behind a bridge, and nothing is recorded")
{
	uint64_t before = iommu_faults();
	STOPPABLE(first);

	EXPECT(edu_pending(first) == 0, "the device is busy");
	for (unsigned i = 0; i < edu_count(); i++) {
		struct dma_memory mem = {0};
		struct edu *e = edu_nth(i);
		bool there;
		int err;

		EXPECT(edu_dma(e)->domain, "%s has no domain: %s", edu_name(e), edu_dma(e)->direct);
		err = dma_alloc(edu_dma(e), &mem, 0, DMA_FROM_DEVICE);
		EXPECT(!err, "mapping: error %d", err);
		err = shot_fire(e, &mem.map, 0);
		there = shot_arrived(mem.at);
		dma_free_memory(&mem);
		EXPECT(!err && there, "%s: error %d, arrived %d", edu_name(e), err, there);
	}
	EXPECT(iommu_faults() == before, "%lu fault(s)", iommu_faults() - before);
}

SELFTEST(iommu_unmap, "iommu.unmap-ends-it",
	 "a write that was told to the device and comes after dma_unmap() is a recorded fault, and "
	 "memory is as before, although the unit had remembered the translation")
{
	static struct shot s;
	struct dma_mapping m = {.what = "page of a test"};
	uint64_t before = iommu_faults(), bus = 0;
	struct page *p;
	bool first = false, silent = false, fault = false;
	int err;

	STOPPABLE(e);
	p = plain_page_alloc();
	EXPECT(p, "no memory");
	err = dma_map(edu_dma(e), &m, &p, 1, DMA_FROM_DEVICE);
	EXPECT_OR(out, !err, "error %d", err);
	err = shot_fire(e, &m, 0);
	first = shot_arrived(page_to_virt(p));
	memset(page_to_virt(p), 0, PAGE_SIZE);
	err = err ?: shot_start(&s, e, &m, 0);
	bus = m.bus;
	dma_unmap(&m);
	if (!err)
		shot_end(&s);
	silent = shot_nothing_at(page_to_virt(p));
	fault = shot_one_fault(edu_dma(e), before, bus, 5);
	EXPECT_OR(out, !err && first, "error %d, the first write arrived: %d", err, first);
	EXPECT_OR(out, silent, "the write behind the end of the mapping arrived");
	EXPECT_OR(out, fault, "%lu fault(s) were recorded, not the one", iommu_faults() - before);
out:
	plain_page_free(p);
}

SELFTEST(iommu_read_only, "iommu.read-only",
	 "a mapping for reading stops a write, which is recorded, and the device reads through it")
{
	static struct shot s;
	struct dma_memory mem = {0};
	uint64_t before = iommu_faults();
	bool silent, fault;
	int err;

	STOPPABLE(e);
	EXPECT(!dma_alloc(edu_dma(e), &mem, 0, DMA_TO_DEVICE), "mapping");
	err = shot_start(&s, e, &mem.map, 0);
	if (!err)
		shot_end(&s);
	silent = shot_nothing_at(mem.at);
	fault = shot_one_fault(edu_dma(e), before, mem.map.bus, 5);
	dma_free_memory(&mem);
	EXPECT(!err && silent && fault, "error %d, memory as before %d, recorded %d", err, silent,
	       fault);
}

SELFTEST(iommu_large, "iommu.large-pages",
	 "2 MiB that lie together are one leaf if the unit has such, a page inside is reached, and "
	 "one invalidation takes it all away")
{
	struct dma_memory mem = {0};
	struct iommu_domain *d;
	struct slpt_leaf leaf = {0};
	uint64_t forgot, leaves;
	char *inside;
	bool there;
	int err;

	STOPPABLE(e);
	d = edu_dma(e)->domain;
	leaves = slpt_leaves(&d->tables);
	err = dma_alloc(edu_dma(e), &mem, 9, DMA_FROM_DEVICE);
	EXPECT(!err, "error %d", err);
	slpt_lookup(&d->tables, mem.map.bus, &leaf);
	err = shot_fire(e, &mem.map, 300);
	inside = (char *)mem.at + 300 * PAGE_SIZE;
	there = shot_arrived(inside);
	forgot = d->unit->invalidations;
	dma_free_memory(&mem);
	forgot = d->unit->invalidations - forgot;
	EXPECT(!err && there, "error %d, arrived %d", err, there);
	EXPECT(leaf.bytes == (d->unit->large & 1 ? 2 * MIB : PAGE_SIZE), "a leaf of 0x%lx bytes",
	       leaf.bytes);
	EXPECT(forgot == 1 && slpt_leaves(&d->tables) == leaves,
	       "%lu invalidations, %lu leaves left", forgot, slpt_leaves(&d->tables) - leaves);
}

SELFTEST(iommu_around, "iommu.queue-goes-around",
	 "hundreds of mappings one after the other: one invalidation each, and the unit keeps up")
{
	struct dma_mapping m = {.what = "one of many"};
	struct page *p;
	struct vtd *u;
	uint64_t before;
	int err = 0;

	STOPPABLE(e);
	p = plain_page_alloc();
	EXPECT(p, "no memory");
	u = edu_dma(e)->domain->unit;
	before = u->invalidations;
	for (unsigned i = 0; i < 600 && !err; i++) {
		err = dma_map(edu_dma(e), &m, &p, 1, DMA_BOTH);
		if (!err)
			dma_unmap(&m);
	}
	plain_page_free(p);
	EXPECT(!err && u->invalidations - before == (u->caching ? 1200 : 600),
	       "error %d, %lu invalidations", err, u->invalidations - before);
}

#define SCATTERED 6u

SELFTEST(iommu_scattered, "iommu.scattered-is-one-range",
	 "pages that lie apart have bus addresses one after the other, and each gets its bytes")
{
	struct page *p[SCATTERED], *apart[2 * SCATTERED] = {NULL};
	struct dma_mapping m = {.what = "scattered pages"};
	unsigned there = 0, range = 0;
	int err = 0;

	STOPPABLE(e);
	for (unsigned i = 0; i < 2 * SCATTERED; i++)
		EXPECT_OR(out, (apart[i] = plain_page_alloc()), "no memory");
	for (unsigned i = 0; i < SCATTERED; i++)
		p[i] = apart[2 * (SCATTERED - 1 - i)];
	err = dma_map(edu_dma(e), &m, p, SCATTERED, DMA_FROM_DEVICE);
	EXPECT_OR(out, !err, "error %d", err);
	for (unsigned i = 0; i < SCATTERED && !err; i += SCATTERED - 1) {
		err = shot_fire(e, &m, i);
		there += shot_arrived(page_to_virt(p[i]));
	}
	for (unsigned i = 0; i < SCATTERED; i++)
		range += dma_bus(&m, i) == m.bus + i * PAGE_SIZE;
	dma_unmap(&m);
	EXPECT_OR(out, !err && there == 2 && range == SCATTERED,
		  "error %d, %u arrived, %u in a row", err, there, range);
	for (unsigned i = 1; i < 2 * SCATTERED; i += 2)
		EXPECT_OR(out, shot_nothing_at(page_to_virt(apart[i])), "page %u was not mapped",
			  i);
out:
	for (unsigned i = 0; i < 2 * SCATTERED && apart[i]; i++)
		plain_page_free(apart[i]);
}

SELFTEST(iommu_taken, "iommu.address-stays-taken",
	 "bus addresses of a cut mapping are not given to another before it is unmapped: the late "
	 "write of a device that was not told is a fault, and the other's bytes are as before")
{
	static struct shot s;
	struct dma_mapping m = {.what = "cut"}, other = {.what = "another"};
	uint64_t before = iommu_faults(), bus[3] = {0};
	struct page *p[2];
	bool silent = false, fault = false;
	int err;

	STOPPABLE(e);
	p[0] = plain_page_alloc();
	p[1] = plain_page_alloc();
	EXPECT_OR(out, p[0] && p[1], "no memory");
	err = dma_map(edu_dma(e), &m, &p[0], 1, DMA_FROM_DEVICE) ?: shot_start(&s, e, &m, 0);
	EXPECT_OR(out, !err, "error %d", err);
	bus[0] = m.bus;
	err = dma_cut(&m) ?: dma_map(edu_dma(e), &other, &p[1], 1, DMA_FROM_DEVICE);
	bus[1] = other.bus;
	shot_end(&s);
	silent = shot_nothing_at(page_to_virt(p[0])) && shot_nothing_at(page_to_virt(p[1]));
	fault = shot_one_fault(edu_dma(e), before, bus[0], 5);
	if (other.dev)
		dma_unmap(&other);
	dma_unmap(&m);
	err = err ?: dma_map(edu_dma(e), &m, &p[0], 1, DMA_FROM_DEVICE);
	bus[2] = m.bus;
	if (!err)
		dma_unmap(&m);
	EXPECT_OR(out, !err && bus[1] != bus[0], "error %d, 0x%lx was given out again", err,
		  bus[0]);
	EXPECT_OR(out, silent && fault, "memory as before %d, recorded %d", silent, fault);
	EXPECT_OR(out, bus[2] == bus[0], "0x%lx after deregistration, not 0x%lx", bus[2], bus[0]);
out:
	for (unsigned i = 0; i < 2; i++)
		if (p[i])
			plain_page_free(p[i]);
}

SELFTEST(iommu_words, "iommu.fault-in-words",
	 "a device without a domain reaches nothing, and the record names it and the reason")
{
	struct dma_memory mem = {0};
	struct iommu_domain *d;
	char text[120] = "", who[40] = "";
	const struct vtd_fault *f;
	uint64_t before = iommu_faults();
	int err;

	STOPPABLE(e);
	d = edu_dma(e)->domain;
	err = dma_alloc(edu_dma(e), &mem, 0, DMA_FROM_DEVICE);
	EXPECT(!err, "error %d", err);
	vtd_set_context(d->unit, d->requester, 0, NULL);
	err = shot_fire(e, &mem.map, 0);
	vtd_set_context(d->unit, d->requester, d->id, &d->tables);
	f = shot_last_fault(edu_dma(e));
	if (f) {
		vtd_fault_text(f, text, sizeof(text));
		iommu_source_name(f->source, who, sizeof(who));
	}
	err = err ?: shot_nothing_at(mem.at) ? 0 : -EFAULT;
	dma_free_memory(&mem);
	EXPECT(!err && iommu_faults() > before, "error %d, %lu faults", err,
	       iommu_faults() - before);
	EXPECT(strstr(text, "the device has no domain") && !strncmp(who, edu_name(e), 4), "%s: %s",
	       who, text);
}

SELFTEST(iommu_overflow, "iommu.overflow-is-told",
	 "with its one record taken, the fault of another device is lost: the overflow is counted, "
	 "and the next fault is recorded again")
{
	static struct shot s[2];
	struct dma_memory mem[2] = {{0}, {0}};
	struct vtd *u;
	uint64_t seen, overflows;
	int err = 0;

	if (scratch_choose_edus(2))
		SKIP("%s", refusal());
	STOPPABLE(e);
	u = edu_dma(e)->domain->unit;
	if (u->cap >> 40 & 0xff)
		SKIP("the unit has more than one record");
	iommu_faults();
	seen = u->log.seen;
	overflows = u->log.overflows;
	vtd_write32(u, VTD_FECTL, 1u << 31); /* nobody takes the record */
	for (unsigned i = 0; i < 2; i++)
		err = err ?: dma_alloc(edu_dma(scratch_edu(i)), &mem[i], 0, DMA_TO_DEVICE);
	for (unsigned i = 0; i < 2 && !err; i++)
		err = shot_fire(scratch_edu(i), &mem[i].map, 0);
	iommu_faults();
	vtd_write32(u, VTD_FECTL, 0);
	seen = u->log.seen - seen;
	overflows = u->log.overflows - overflows;
	err = err ?: shot_start(&s[0], e, &mem[0].map, 0);
	if (!err)
		shot_end(&s[0]);
	shot_last_fault(edu_dma(e));
	for (unsigned i = 0; i < 2; i++)
		dma_free_memory(&mem[i]);
	EXPECT(!err && seen == 1 && overflows == 1, "error %d, %lu recorded, %lu overflows", err,
	       seen, overflows);
	EXPECT(u->log.last[(u->log.seen - 1) % VTD_FAULT_LOG].source ==
		       edu_dma(e)->domain->requester,
	       "the fault after it was not recorded");
}

SELFTEST(iommu_refuses, "iommu.no-memory-no-trace",
	 "dma_map() that finds no memory, at whatever allocation, leaves no bus address, no leaf "
	 "and no mapping; without pages it is refused")
{
	struct dma_mapping m = {.what = "no memory"};
	struct page *p;
	struct iommu_domain *d;
	uint64_t before, nr, leaves;
	bool failed = true;
	unsigned n = 0, bad = 0;
	struct iova_range far = {0};

	STOPPABLE(e);
	d = edu_dma(e)->domain;
	p = plain_page_alloc();
	EXPECT(p, "no memory");
	before = edu_dma(e)->mappings;
	nr = d->space.nr;
	leaves = slpt_leaves(&d->tables);
	/* Everything low is taken, so that tables are missing for what is given out. */
	bad += iova_register(&d->space, &far, 1ul << 20, 1ul << 20, UINT64_MAX) != 0;
	bad += dma_map(edu_dma(e), &m, &p, 0, DMA_BOTH) != -EINVAL;
	for (; failed && n < 20 && !bad; n++) {
		int err;

		alloc_fail_nth(n + 1);
		err = dma_map(edu_dma(e), &m, &p, 1, DMA_BOTH);
		alloc_fail_count(&failed);
		alloc_fail_nth(0);
		bad += err != (failed ? -ENOMEM : 0) || (failed && m.dev);
		if (!err)
			dma_unmap(&m);
		bad += d->space.nr != nr + 1 || slpt_leaves(&d->tables) != leaves;
	}
	iova_deregister(&d->space, &far);
	plain_page_free(p);
	EXPECT(!bad && !failed, "%u step(s) went wrong, %u tried", bad, n);
	EXPECT(edu_dma(e)->mappings == before, "%lu mappings", edu_dma(e)->mappings);
}

SELFTEST(iommu_kept, "iommu.addresses-never-given",
	 "in every domain the addresses of interrupts, of PCI functions' registers and the first "
	 "MiB are given to nobody")
{
	const struct dma_device *dev;

	if (!vtd_nth(0))
		SKIP("no IOMMU (QEMU: -device intel-iommu)");
	TAILQ_FOREACH (dev, &dma_devices, link) {
		struct iommu_domain *d = dev->domain;

		if (!d)
			continue;
		EXPECT(iova_find(&d->space, 0xfee00) && d->space.first == 256, "%s", dev->name);
		for (unsigned i = 0; i < 6; i++) {
			const struct pci_bar *b = &dev->pci->bar[i];

			EXPECT(!b->size || b->io || !b->phys || b->phys >> 39 ||
				       iova_find(&d->space, b->phys >> PAGE_SHIFT),
			       "%s: its registers at 0x%lx", dev->name, b->phys);
		}
	}
}

SELFTEST(iommu_identity, "iommu.without-one",
	 "without an IOMMU bus addresses are physical ones, and cutting a mapping is refused by a "
	 "sentence that says why")
{
	static struct dma_device model = DMA_DIRECT("model");
	struct dma_mapping m = {0};
	struct page *p[2] = {plain_page_alloc(), NULL};
	uint64_t bus[2] = {0};
	int err;

	EXPECT(p[0], "no memory");
	p[1] = p[0] - 1;
	err = dma_map(&model, &m, p, 2, DMA_BOTH);
	EXPECT_OR(out, !err && model.mappings == 1, "error %d", err);
	bus[0] = dma_bus(&m, 0);
	bus[1] = dma_bus(&m, 1);
	err = dma_cut(&m);
	dma_unmap(&m);
	EXPECT_OR(out, bus[0] == virt_to_phys(page_to_virt(p[0])) && bus[1] == bus[0] - PAGE_SIZE,
		  "0x%lx, 0x%lx", bus[0], bus[1]);
	EXPECT_OR(out, err == -EOPNOTSUPP && strstr(refusal(), "a model in memory"), "error %d: %s",
		  err, refusal());
	EXPECT_OR(out, !model.mappings, "%lu mappings left", model.mappings);
out:
	plain_page_free(p[0]);
}
