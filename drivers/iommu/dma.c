/* SPDX-License-Identifier: MIT */
/*
 * Domains, and what drivers map in them; see iommu.h.
 *
 * A mapping has two halves with lives of their own: bus addresses, registered from dma_map() to
 * dma_unmap(), and a translation, which dma_cut() may end earlier. Taking away always goes: entries
 * cleared and written back, the unit made to forget and waited for, then the bus addresses free.
 * In another order a device would reach, by a remembered entry, what has a new owner.
 */
#include "drivers/drivers.h"
#include "drivers/iommu/internal.h"

MUSEUM(iommu_stale, "iommu-stale",
       "unmapping does not make the unit forget: the device writes on (iommu.unmap-ends-it)");
MUSEUM(iova_early, "iova-early",
       "cutting a translation frees its bus addresses (iommu.address-stays-taken)");

/* Which page the mapping's i-th is. */
static uint64_t mapping_to_pfn(const struct dma_mapping *m, unsigned long i)
{
	if (!m->pages)
		return m->pfn + i;
	return page_to_pfn(*(struct page *const *)((const char *)m->pages + i * m->stride));
}

uint64_t dma_bus(const struct dma_mapping *m, unsigned long i)
{
	return m->dev->domain ? m->bus + i * PAGE_SIZE : mapping_to_pfn(m, i) << PAGE_SHIFT;
}

struct page *dma_page(const struct dma_mapping *m, unsigned long i)
{
	return pfn_to_page(mapping_to_pfn(m, i));
}

struct page *plain_page_alloc(void)
{
	uint64_t frame = frame_alloc_zero();

	return frame ? pfn_to_page(frame >> PAGE_SHIFT) : NULL;
}

void plain_page_free(struct page *p)
{
	frame_free(page_to_phys(p), 0);
}

struct page *virt_to_page(const void *p)
{
	return pfn_to_page(virt_to_phys(p) >> PAGE_SHIFT);
}

/* lock held. Every run of neighbours by one call; on an error nothing stays. */
static int map_runs(struct iommu_domain *d, const struct dma_mapping *m)
{
	unsigned long i = 0, run;
	int err = 0;

	for (; i < m->nr && !err; i += run) {
		uint64_t pfn = mapping_to_pfn(m, i);

		for (run = 1; i + run < m->nr && mapping_to_pfn(m, i + run) == pfn + run; run++)
			;
		err = slpt_map(&d->tables, m->bus + i * PAGE_SIZE, pfn << PAGE_SHIFT,
			       run * PAGE_SIZE, m->dir);
		if (err && i)
			slpt_unmap(&d->tables, m->bus, i * PAGE_SIZE);
	}
	return err;
}

/* Bus addresses begin at a multiple of their size, so that one invalidation fits it, and large
 * pages fit into it; above 1 GiB nothing is won any more. */
static uint64_t alignment(unsigned long nr)
{
	uint64_t most = 1ull << 18;

	return nr >= most ? most : nr == 1 ? 1 : 1ull << (64 - __builtin_clzll(nr - 1));
}

/* lock held. */
static void forget(struct iommu_domain *d, const struct dma_mapping *m)
{
	if (!museum_on(iommu_stale))
		vtd_forget(d->unit, d->id, m->bus, m->nr * PAGE_SIZE);
	slpt_settle(&d->tables);
}

static int map_in_domain(struct iommu_domain *d, struct dma_mapping *m)
{
	uint64_t flags = spin_lock_irqsave(&d->lock);
	int err = iova_register(&d->space, &m->range, m->nr, alignment(m->nr), UINT64_MAX);

	if (!err) {
		m->bus = m->range.start << PAGE_SHIFT;
		err = map_runs(d, m);
		slpt_sync(&d->tables);
		store_fence(); /* entries before the device is told of them */
		/* A unit may remember that nothing was there, and a table that gave way. */
		if (d->unit->caching || d->tables.nr_dropped)
			vtd_forget(d->unit, d->id, m->bus, m->nr * PAGE_SIZE);
		slpt_settle(&d->tables);
		if (err)
			iova_deregister(&d->space, &m->range);
		else
			TAILQ_INSERT_TAIL(&d->list, m, link);
	}
	spin_unlock_irqrestore(&d->lock, flags);
	return err;
}

static int map(struct dma_device *dev, struct dma_mapping *m, unsigned long nr,
	       enum dma_direction dir)
{
	int err;

	ASSERT(!m->dev, "a mapping of %s is mapped a second time", m->dev->name);
	if (!nr)
		return -EINVAL;
	m->dir = dir;
	m->nr = nr;
	m->cut = false;
	err = dev->domain ? map_in_domain(dev->domain, m) : 0;
	if (err)
		return err;
	m->dev = dev;
	if (!dev->domain)
		m->bus = mapping_to_pfn(m, 0) << PAGE_SHIFT;
	__atomic_add_fetch(&dev->mappings, 1, __ATOMIC_RELAXED);
	return 0;
}

int dma_map_strided(struct dma_device *dev, struct dma_mapping *m, struct page *const *first,
		    size_t stride, unsigned long nr, enum dma_direction dir)
{
	m->pages = first;
	m->stride = stride;
	return map(dev, m, nr, dir);
}

int dma_map(struct dma_device *dev, struct dma_mapping *m, struct page *const *pages,
	    unsigned long nr, enum dma_direction dir)
{
	return dma_map_strided(dev, m, pages, sizeof(*pages), nr, dir);
}

/* lock held. The translation goes, and is forgotten. */
static void cut(struct iommu_domain *d, struct dma_mapping *m)
{
	if (m->cut)
		return;
	slpt_unmap(&d->tables, m->bus, m->nr * PAGE_SIZE);
	slpt_sync(&d->tables);
	forget(d, m);
	m->cut = true;
}

int dma_cut(struct dma_mapping *m)
{
	struct iommu_domain *d = m->dev->domain;
	uint64_t flags;

	if (!d)
		return refuse(-EOPNOTSUPP,
			      "what %s was told it can reach for ever: %s; a device behind an "
			      "IOMMU would do",
			      m->dev->name, m->dev->direct);
	flags = spin_lock_irqsave(&d->lock);
	cut(d, m);
	if (museum_on(iova_early) && m->range.end != m->range.start)
		iova_deregister(&d->space, &m->range);
	spin_unlock_irqrestore(&d->lock, flags);
	return 0;
}

void dma_unmap(struct dma_mapping *m)
{
	struct iommu_domain *d = m->dev->domain;

	if (d) {
		uint64_t flags = spin_lock_irqsave(&d->lock);

		cut(d, m);
		if (m->range.end != m->range.start)
			iova_deregister(&d->space, &m->range);
		TAILQ_REMOVE(&d->list, m, link);
		spin_unlock_irqrestore(&d->lock, flags);
	}
	__atomic_sub_fetch(&m->dev->mappings, 1, __ATOMIC_RELEASE);
	m->dev = NULL;
}

int dma_alloc(struct dma_device *dev, struct dma_memory *mem, unsigned order,
	      enum dma_direction dir)
{
	uint64_t frame = frame_alloc(order);
	const char *what = mem->map.what;
	int err;

	*mem = (struct dma_memory){.order = order, .map.what = what};
	if (!frame)
		return -ENOMEM;
	memset(phys_to_virt(frame), 0, PAGE_SIZE << order);
	mem->map.pfn = frame >> PAGE_SHIFT;
	err = map(dev, &mem->map, 1ul << order, dir);
	if (err)
		frame_free(frame, order);
	else
		mem->at = phys_to_virt(frame);
	return err;
}

void dma_free_memory(struct dma_memory *mem)
{
	if (!mem->at)
		return;
	dma_unmap(&mem->map);
	frame_free(virt_to_phys(mem->at), mem->order);
	mem->at = NULL;
}
