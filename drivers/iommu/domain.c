/* SPDX-License-Identifier: MIT */
/*
 * Which device has which domain.
 *
 * A unit knows a device by its requester id: bus, device, function, as the access carries them.
 * Behind a bridge to conventional PCI all devices have one, the bridge's own or that of function 0
 * of the bus behind it, and so they share a domain.
 *
 * Bus addresses that are never given out in any domain: those that mean an interrupt, the
 * registers of PCI functions (a bridge would take the access for one to them), the first 1 MiB (an
 * address of 0 plus a little is somebody's mistake), and the device's own reserved memory, which is
 * mapped as it is.
 */
#include "drivers/drivers.h"
#include "drivers/iommu/internal.h"

#define FIRST_PAGE 256u
#define MSI_START  0xfee00u /* in pages */
#define MSI_PAGES  0x100u
/* Bits 7:4 of the Express capabilities register. */
#define EXPRESS_ROOT_PORT  4
#define EXPRESS_DOWNSTREAM 6
#define EXPRESS_FROM_PCI   8
#define EXPRESS_TO_PCI	   7

static TAILQ_HEAD(, iommu_domain) domains = TAILQ_HEAD_INITIALIZER(domains);
struct dma_device_list dma_devices = TAILQ_HEAD_INITIALIZER(dma_devices);

/* ---- buses --------------------------------------------------------------------------------- */

static struct pci_device *bridge_to(uint8_t bus)
{
	struct pci_device *d;

	for (unsigned i = 0; bus && (d = pci_at(i)); i++)
		if (d->header == 1 && d->secondary == bus)
			return d;
	return NULL;
}

static int behind(uint8_t bus, uint8_t dev, uint8_t fn)
{
	struct pci_device *d;

	for (unsigned i = 0; (d = pci_at(i)); i++)
		if (d->bus == bus && d->dev == dev && d->fn == fn)
			return d->header == 1 ? d->secondary : -1;
	return -1;
}

static uint16_t id_of(const struct pci_device *d)
{
	return (uint16_t)(d->bus << 8 | d->dev << 3 | d->fn);
}

static int above(uint8_t bus)
{
	const struct pci_device *bridge = bridge_to(bus);

	return bridge ? id_of(bridge) : -1;
}

static const struct dmar_buses buses = {behind, above};

/* Kind of an Express function; -1: it is of conventional PCI. */
static int express_kind(const struct pci_device *d)
{
	unsigned cap = pci_find_cap(d, PCI_CAP_EXPRESS);

	return cap ? pci_read16(d, cap + 2) >> 4 & 15 : -1;
}

/* As which requester the accesses of a function arrive at the unit. */
static uint16_t requester_of(const struct pci_device *pci)
{
	const struct pci_device *bridge = bridge_to(pci->bus);
	uint16_t id = id_of(pci);

	for (unsigned step = 0; bridge && step < 256; step++) {
		int kind = express_kind(bridge);

		if (kind == EXPRESS_TO_PCI)
			id = (uint16_t)(bridge->secondary << 8);
		else if (kind < 0 || kind == EXPRESS_FROM_PCI)
			id = id_of(bridge);
		bridge = bridge_to(bridge->bus);
	}
	return id;
}

void iommu_source_name(uint16_t source, char *buf, size_t size)
{
	const struct dma_device *dev;

	TAILQ_FOREACH (dev, &dma_devices, link)
		if (dev->domain && dev->domain->requester == source) {
			snprintf(buf, size, "%s (%s)", dev->name, dev->pci->name);
			return;
		}
	snprintf(buf, size, "the function at %02x:%02x.%x", source >> 8, source >> 3 & 31,
		 source & 7u);
}

/* ---- domains ------------------------------------------------------------------------------- */

/* Bytes that are never given out; `leads`: and lead where they say. What is kept already, in whole
 * or in part, stays so: a firmware's ranges may overlap, and are places, not owners. */
static int keep(struct iommu_domain *d, uint64_t start, uint64_t bytes, bool leads)
{
	uint64_t at = start >> PAGE_SHIFT, end = (start + bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t stop;
	int err = 0;

	for (; !err && (stop = iova_gap(&d->space, &at, end)); at = stop) {
		iova_register_at(&d->space, &d->kept[d->nr_kept++], at, stop - at);
		if (leads)
			err = slpt_map(&d->tables, at << PAGE_SHIFT, at << PAGE_SHIFT,
				       (stop - at) << PAGE_SHIFT, SLPT_READ | SLPT_WRITE);
	}
	return err;
}

/* Registers of functions, in memory: a list that all domains keep. They lie where they are since
 * the boot; made at the first domain, because each look at them all takes thousands of
 * instructions. */
struct bar_list {
	const struct pci_bar **bar; /* NULL: not made yet */
	unsigned nr;
};
static struct bar_list bars;

static int find_bars(void)
{
	if (bars.bar)
		return 0;
	bars.bar = calloc(6 * pci_count() + 1, sizeof(*bars.bar));
	if (!bars.bar)
		return -ENOMEM;
	for (unsigned i = 0; i < pci_count(); i++)
		for (const struct pci_bar *b = pci_at(i)->bar; b < pci_at(i)->bar + 6; b++)
			if (b->size && !b->io && b->phys)
				bars.bar[bars.nr++] = b;
	return 0;
}

/* Has a mapping of a device some of these bytes? What is kept, nobody has. */
static bool is_mapped(const struct iommu_domain *d, uint64_t start, uint64_t bytes)
{
	const struct iova_range *r;

	TAILQ_FOREACH (r, &d->space.list, link)
		if (r->start << PAGE_SHIFT < start + bytes && start < r->end << PAGE_SHIFT &&
		    (r < d->kept || r >= d->kept + d->nr_kept))
			return true;
	return false;
}

static int keep_one(struct iommu_domain *d, const struct dmar_reserved *r, const char *name)
{
	if ((r->base + r->len - 1) >> d->unit->width)
		return refuse(-EINVAL,
			      "%s: memory that the firmware reserved for it, 0x%lx + 0x%lx, "
			      "is beyond the %u address bits of %s",
			      name, r->base, r->len, d->unit->width, d->unit->name);
	if (is_mapped(d, r->base, r->len))
		return refuse(-EBUSY,
			      "%s: of the memory that the firmware reserved for it, 0x%lx + 0x%lx, "
			      "another device of its domain has bus addresses",
			      name, r->base, r->len);
	return keep(d, r->base, r->len, true);
}

/* For a new domain before all else is kept: whatever has a part of it would not be led where the
 * firmware says. lock held, if somebody has the domain already. */
static int keep_reserved(struct iommu_domain *d, const struct pci_device *pci, const char *name)
{
	const struct dmar *table = dmar_get();
	int err = 0;

	for (unsigned i = 0; i < table->nr_reserved && !err; i++)
		if (dmar_reserved_for(table, &table->reserved[i], pci->bus, pci->dev, pci->fn,
				      &buses))
			err = keep_one(d, &table->reserved[i], name);
	slpt_sync(&d->tables);
	return err;
}

static int fill_kept(struct iommu_domain *d, const struct pci_device *pci, const char *name)
{
	int err = find_bars();

	/* n ranges that overlap are 2n - 1 pieces at the most. */
	if (!err)
		d->kept = calloc(2 * (1 + bars.nr + dmar_get()->nr_reserved), sizeof(*d->kept));
	if (!d->kept)
		return -ENOMEM;
	err = keep_reserved(d, pci, name);
	keep(d, (uint64_t)MSI_START << PAGE_SHIFT, (uint64_t)MSI_PAGES << PAGE_SHIFT, false);
	for (unsigned i = 0; i < bars.nr; i++)
		if (bars.bar[i]->phys < d->tables.limit)
			keep(d, bars.bar[i]->phys, bars.bar[i]->size, false);
	return err;
}

static void destroy(struct iommu_domain *d)
{
	slpt_destroy(&d->tables);
	free(d->kept);
	free(d);
}

static int make(struct vtd *u, uint16_t requester, const struct pci_device *pci, const char *name,
		struct iommu_domain **out)
{
	struct iommu_domain *d = calloc(1, sizeof(*d));
	uint64_t ids = 1ull << (4 + 2 * (u->cap & 7));
	int err;

	if (!d)
		return -ENOMEM;
	*d = (struct iommu_domain){.unit = u, .requester = requester, .id = u->next_domain};
	spin_init(&d->lock, "IOMMU domain");
	TAILQ_INIT(&d->list);
	iova_init(&d->space, FIRST_PAGE, 1ull << (u->width - PAGE_SHIFT));
	err = u->next_domain < ids
		      ? 0
		      : refuse(-ENOSPC, "%s: %s has no domain left, of %lu", name, u->name, ids);
	if (!err)
		err = slpt_init(&d->tables, u->ecap & 1 ? &vtd_snooped : &vtd_unsnooped, u->levels,
				u->large);
	if (!err)
		err = fill_kept(d, pci, name);
	if (!err)
		err = vtd_set_context(u, requester, d->id, &d->tables);
	if (err) {
		destroy(d);
		return err;
	}
	u->next_domain++;
	TAILQ_INSERT_TAIL(&domains, d, link);
	*out = d;
	return 0;
}

/* One more device has the domain, as behind a bridge: its own reserved memory is to be led as well.
 */
static int join(struct iommu_domain *d, const struct pci_device *pci, const char *name)
{
	uint64_t flags = spin_lock_irqsave(&d->lock);
	int err = keep_reserved(d, pci, name);

	store_fence(); /* entries before the device is told of anything */
	if (d->unit->caching || d->tables.nr_dropped)
		vtd_forget_all(d->unit);
	slpt_settle(&d->tables);
	spin_unlock_irqrestore(&d->lock, flags);
	return err;
}

static int find_or_make(struct vtd *u, const struct pci_device *pci, const char *name,
			struct iommu_domain **out)
{
	uint16_t requester = requester_of(pci);

	TAILQ_FOREACH (*out, &domains, link)
		if ((*out)->unit == u && (*out)->requester == requester)
			return join(*out, pci, name);
	return make(u, requester, pci, name, out);
}

/* ---- devices ------------------------------------------------------------------------------- */

/* The unit in front of a function, or NULL and why there is none. */
static struct vtd *unit_before(const struct pci_device *pci, const char **why)
{
	const struct dmar *table = dmar_get();
	const struct dmar_unit *unit;
	struct vtd *u;

	*why = !table ? "there is no IOMMU" : "the DMAR table is refused";
	if (!table || table->verdict != DMAR_ACCEPTED)
		return NULL;
	unit = dmar_unit_of(table, pci->bus, pci->dev, pci->fn, &buses);
	*why = unit ? "the unit in front of it is not used" : "no unit is in front of it";
	u = unit ? vtd_of(unit) : NULL;
	return u;
}

int dma_attach(struct dma_device *dev, const struct pci_device *pci, const char *name,
	       bool translated)
{
	struct vtd *u;
	int err;

	*dev = (struct dma_device){.pci = pci};
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	u = unit_before(pci, &dev->direct);
	if (u && !translated) {
		dev->direct = "its accesses pass the IOMMU by";
		u = NULL;
	}
	if (u && u->dead)
		return refuse(-EIO, "%s: %s is of no use: %s", name, u->name, u->dead);
	if (u) {
		err = find_or_make(u, pci, name, &dev->domain);
		if (err) {
			dev->domain = NULL;
			return err;
		}
		dev->domain->users++;
		dev->direct = NULL;
	}
	TAILQ_INSERT_TAIL(&dma_devices, dev, link);
	return 0;
}

/* Do accesses of this function arrive at the unit as those of a device that has a driver? */
static bool goes_through(const struct pci_device *pci, const struct vtd *u)
{
	const struct dma_device *dev;

	TAILQ_FOREACH (dev, &dma_devices, link)
		if (dev->pci == pci && dev->domain && dev->domain->unit == u)
			return true;
	return false;
}

void vtd_stop_devices(const struct vtd *u)
{
	struct iommu_domain *domain;
	struct pci_device *d;

	for (unsigned i = 0; (d = pci_at(i)); i++) {
		if (!goes_through(d, u))
			continue;
		pci_set_bus_master(d, false);
		pci_read16(d, PCI_COMMAND); /* comes back behind what it had written before */
	}
	TAILQ_FOREACH (domain, &domains, link)
		if (domain->unit == u) /* one store; who looks at the same time may still get one */
			__atomic_store_n(&domain->space.end, 0, __ATOMIC_RELAXED);
}

void dma_detach(struct dma_device *dev)
{
	struct iommu_domain *d = dev->domain;

	ASSERT(!dev->mappings, "%s goes with %lu mapping(s)", dev->name, dev->mappings);
	TAILQ_REMOVE(&dma_devices, dev, link);
	dev->domain = NULL;
	if (!d || --d->users)
		return;
	vtd_set_context(d->unit, d->requester, 0, NULL);
	TAILQ_REMOVE(&domains, d, link);
	destroy(d);
}

/* What a test must not leave behind. */
static int64_t count_mappings(void)
{
	const struct dma_device *dev;
	int64_t sum = 0;

	TAILQ_FOREACH (dev, &dma_devices, link)
		sum += (int64_t)__atomic_load_n(&dev->mappings, __ATOMIC_ACQUIRE);
	return sum;
}
SELFTEST_LEAVES(dma_mappings, "DMA mapping(s)", LEAVES_USERS, count_mappings, NULL);
