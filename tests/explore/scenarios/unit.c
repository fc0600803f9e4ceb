/* SPDX-License-Identifier: MIT */
/* An IOMMU in memory; see unit.h. */
#include "tests/explore/scenarios/unit.h"
#include "drivers/drivers.h"

#define FIRST_PAGE 256u
#define DOMAIN	   7u

struct unit unit;

static struct unit_seen *seen_at(uint64_t bus)
{
	uint64_t page = bus / PAGE_SIZE - FIRST_PAGE;

	return page < UNIT_PAGES ? &unit.seen[page] : NULL;
}

static void forget(uint64_t first, uint64_t pages)
{
	unit.told_first = first;
	unit.told_pages = pages;
	for (uint64_t page = first; page < first + pages; page++) {
		struct unit_seen *s = seen_at(page * PAGE_SIZE);

		if (s)
			s->phys = 0;
	}
}

/* Descriptors as the specification has them: type and granularity, domain, address and order. */
static void invalidate(uint64_t low, uint64_t high)
{
	const struct slpt *t = &unit.domain.tables;
	unsigned granularity = low >> 4 & 3, order = high & 63;

	if ((low & 15) != 2)
		return;
	unit.early += t->dirty != t->dirty_end;
	unit.waiting = (unsigned)t->nr_dropped;
	if (granularity == 3 && (low >> 16 & 0xffff) == DOMAIN) {
		unit.selected++;
		forget(high / PAGE_SIZE & ~((1ull << order) - 1), 1ull << order);
	} else if (granularity == 1 || (low >> 16 & 0xffff) == DOMAIN) {
		unit.whole++;
		forget(FIRST_PAGE, UNIT_PAGES);
	}
}

/* Behind a store to a register. */
static void written(unsigned off, uint64_t v)
{
	uint64_t(*queue)[2] = unit.vtd.queue;

	if (off != VTD_IQT)
		return;
	spin_lock(&unit.lock);
	for (; unit.head != v >> 4; unit.head = (unit.head + 1) % VTD_QUEUE) {
		invalidate(queue[unit.head][0], queue[unit.head][1]);
		if ((queue[unit.head][0] & 15) == 5)
			*(volatile uint32_t *)((char *)queue + PAGE_SIZE) =
				(uint32_t)(queue[unit.head][0] >> 32);
	}
	spin_unlock(&unit.lock);
}

static void remember(struct unit_seen *s, uint64_t bus)
{
	struct slpt_leaf leaf;

	if (s->phys || !slpt_lookup(&unit.domain.tables, bus, &leaf))
		return;
	s->rights = leaf.rights;
	s->phys = (leaf.phys + (bus - leaf.iova)) & ~(PAGE_SIZE - 1);
}

bool unit_write(uint64_t bus, uint64_t word)
{
	struct unit_seen *s = seen_at(bus);
	bool there;

	spin_lock(&unit.lock);
	remember(s, bus);
	there = s->phys && s->rights & SLPT_WRITE;
	if (there)
		__atomic_store_n((uint64_t *)phys_to_virt(s->phys + bus % PAGE_SIZE), word,
				 __ATOMIC_RELAXED);
	else
		unit.faults++;
	spin_unlock(&unit.lock);
	return there;
}

unsigned unit_remembers(uint64_t bus, uint64_t bytes)
{
	unsigned n = 0;

	for (uint64_t at = bus; at < bus + bytes; at += PAGE_SIZE)
		n += seen_at(at)->phys != 0;
	return n;
}

static int setup_domain(unsigned large)
{
	struct iommu_domain *d = &unit.domain;

	*d = (struct iommu_domain){.unit = &unit.vtd, .id = DOMAIN, .users = 1};
	spin_init(&d->lock, "IOMMU domain");
	TAILQ_INIT(&d->list);
	iova_init(&d->space, FIRST_PAGE, FIRST_PAGE + UNIT_PAGES);
	return slpt_init(&d->tables, &vtd_unsnooped, 3, large);
}

int unit_setup(int most_order, unsigned large)
{
	unit = (struct unit){0};
	unit.seen = calloc(UNIT_PAGES, sizeof(*unit.seen));
	unit.vtd = (struct vtd){.name = "model",
				.regs = calloc(1, PAGE_SIZE),
				.queue = calloc(1, 2 * PAGE_SIZE),
				.model = written,
				.queued = true,
				.drains = true,
				.most_order = most_order};
	unit.dev = (struct dma_device){.name = "model", .domain = &unit.domain};
	spin_init(&unit.vtd.lock, "IOMMU unit");
	spin_init(&unit.lock, "model of a unit");
	if (!unit.seen || !unit.vtd.regs || !unit.vtd.queue || setup_domain(large)) {
		unit_teardown();
		return refuse(-ENOMEM, "no memory for a unit");
	}
	return 0;
}

void unit_teardown(void)
{
	if (unit.domain.tables.root)
		slpt_destroy(&unit.domain.tables);
	free((void *)unit.vtd.regs);
	free(unit.vtd.queue);
	free(unit.seen);
	unit = (struct unit){0};
}
