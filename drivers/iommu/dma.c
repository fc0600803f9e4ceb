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
       "unmapping does not make the unit forget: the device writes on (iommu.unmap-ends-it); found "
       "by explore iommu.unmap-write");
MUSEUM(iova_early, "iova-early",
       "cutting a translation frees its bus addresses (iommu.address-stays-taken); found by "
       "explore "
       "iommu.cut-map-write");

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

/* lock held. Pages [first, end); on an error none is mapped. */
static int map_pages(struct iommu_domain *d, const struct dma_mapping *m, unsigned long first,
		     unsigned long end)
{
	uint64_t at = m->bus + first * PAGE_SIZE;

	if (m->pages)
		return slpt_map_pages(&d->tables, at, (const char *)m->pages + first * m->stride,
				      m->stride, end - first, m->dir);
	return slpt_map(&d->tables, at, (m->pfn + first) << PAGE_SHIFT, (end - first) * PAGE_SIZE,
			m->dir);
}

/* Bus addresses begin at a multiple of their size, so that one invalidation fits it, and large
 * pages fit into it; above 1 GiB nothing is won any more. */
static uint64_t alignment(unsigned long nr)
{
	uint64_t most = 1ull << 18;

	return nr >= most ? most : nr == 1 ? 1 : 1ull << (64 - __builtin_clzll(nr - 1));
}

/* lock held. Pages [first, end) of the mapping can be reached when this returns 0. */
static int let_reach(struct iommu_domain *d, const struct dma_mapping *m, unsigned long first,
		     unsigned long end)
{
	int err = map_pages(d, m, first, end);

	slpt_sync(&d->tables);
	store_fence(); /* entries before the device is told of them */
	/* A unit may remember that nothing was there, and a table that gave way. */
	if (d->unit->caching || d->tables.nr_dropped)
		vtd_forget(d->unit, d->id, m->bus + first * PAGE_SIZE, (end - first) * PAGE_SIZE);
	slpt_settle(&d->tables);
	return err;
}

/* How a mapping begins. */
struct beginning {
	uint64_t at; /* page that its bus addresses are to begin with; zero: any */
	bool later;  /* nothing is reached before dma_fill() */
};

static int map_in_domain(struct iommu_domain *d, struct dma_mapping *m, struct beginning how)
{
	uint64_t flags = spin_lock_irqsave(&d->lock);
	int err = how.at ? iova_register_at(&d->space, &m->range, how.at, m->nr)
			 : iova_register(&d->space, &m->range, m->nr, alignment(m->nr), UINT64_MAX);

	if (!err) {
		m->bus = m->range.start << PAGE_SHIFT;
		err = how.later ? 0 : let_reach(d, m, 0, m->nr);
		if (err)
			iova_deregister(&d->space, &m->range);
		else
			TAILQ_INSERT_TAIL(&d->list, m, link);
	}
	spin_unlock_irqrestore(&d->lock, flags);
	return err;
}

/* -EIO with a sentence if nobody will ever get a bus address of the device again; else 0. */
static int was_stopped(const struct dma_device *dev)
{
	const struct vtd *u = dev->domain->unit;

	return u->dead ? refuse(-EIO, "%s was stopped: %s is of no use any more, %s", dev->name,
				u->name, u->dead)
		       : 0;
}

static int map(struct dma_device *dev, struct dma_mapping *m, unsigned long nr,
	       enum dma_direction dir, struct beginning how)
{
	int err;

	ASSERT(!m->dev, "a mapping of %s is mapped a second time", m->dev->name);
	if (!nr)
		return -EINVAL;
	m->dir = dir;
	m->nr = nr;
	m->cut = false;
	err = dev->domain ? map_in_domain(dev->domain, m, how) : 0;
	if (err)
		return was_stopped(dev) ?: err;
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
	return map(dev, m, nr, dir, (struct beginning){0});
}

int dma_map(struct dma_device *dev, struct dma_mapping *m, struct page *const *pages,
	    unsigned long nr, enum dma_direction dir)
{
	return dma_map_strided(dev, m, pages, sizeof(*pages), nr, dir);
}

int dma_map_range(struct dma_device *dev, struct dma_mapping *m, struct page *first,
		  unsigned long nr, enum dma_direction dir)
{
	m->pages = NULL;
	m->pfn = page_to_pfn(first);
	return map(dev, m, nr, dir, (struct beginning){0});
}

static int no_domain(const struct dma_device *dev)
{
	return refuse(-EOPNOTSUPP,
		      "what %s was told it can reach for ever: %s; a device behind an IOMMU would "
		      "do",
		      dev->name, dev->direct);
}

int dma_map_at(struct dma_device *dev, struct dma_mapping *m, uint64_t bus,
	       struct page *const *pages, unsigned long nr, enum dma_direction dir)
{
	uint64_t at = bus >> PAGE_SHIFT;
	const struct iova_space *s;

	if (!dev->domain)
		return no_domain(dev);
	if (was_stopped(dev))
		return -EIO;
	s = &dev->domain->space;
	if (bus % PAGE_SIZE || at < s->first || at >= s->end || nr > s->end - at)
		return refuse(-EINVAL, "bus addresses of %s are whole pages from 0x%lx to 0x%lx",
			      dev->name, s->first << PAGE_SHIFT, (s->end << PAGE_SHIFT) - 1);
	m->pages = pages;
	m->stride = sizeof(*pages);
	return map(dev, m, nr, dir, (struct beginning){.at = at});
}

int dma_map_later(struct dma_device *dev, struct dma_mapping *m, struct page *const *pages,
		  unsigned long nr, enum dma_direction dir)
{
	if (!dev->domain)
		return no_domain(dev);
	m->pages = pages;
	m->stride = sizeof(*pages);
	return map(dev, m, nr, dir, (struct beginning){.later = true});
}

int dma_fill(struct dma_mapping *m, unsigned long first, unsigned long nr)
{
	struct iommu_domain *d = m->dev->domain;
	uint64_t flags = spin_lock_irqsave(&d->lock);
	int err = let_reach(d, m, first, first + nr);

	spin_unlock_irqrestore(&d->lock, flags);
	return err;
}

/* lock held. The translation of these bytes goes, and is forgotten. */
static int cut(struct iommu_domain *d, struct dma_mapping *m, uint64_t at, uint64_t bytes)
{
	/* LAB 10 cut: from here on the device reaches none of it */
	int err = slpt_unmap(&d->tables, m->bus + at, bytes);

	if (err)
		return err;
	slpt_sync(&d->tables);
	if (!museum_on(iommu_stale))
		vtd_forget(d->unit, d->id, m->bus + at, bytes);
	slpt_settle(&d->tables);
	return 0;
	/* END */
}

/* lock held. No larger page reaches over an end of a mapping, so all of it can go. In line: a call
 * and its frame are a fiftieth of an unmap. */
static inline void cut_all(struct iommu_domain *d, struct dma_mapping *m)
{
	int err = m->cut ? 0 : cut(d, m, 0, m->nr * PAGE_SIZE);

	ASSERT(!err, "%lu page(s) at bus address 0x%lx are reached still: error %d", m->nr, m->bus,
	       err);
	m->cut = true;
}

unsigned long dma_pages(const struct dma_piece *list, unsigned nr)
{
	unsigned long pages = 0;

	for (const struct dma_piece *p = list; p < list + nr; p++)
		if (p->len)
			pages += ((p->offset % PAGE_SIZE + p->len - 1) >> PAGE_SHIFT) + 1;
	return pages;
}

int dma_cut_bytes(struct dma_mapping *m, uint64_t at, uint64_t bytes)
{
	unsigned long pages = dma_pages(&(struct dma_piece){at, bytes}, 1);
	struct iommu_domain *d = m->dev->domain;
	uint64_t flags;
	int err = 0;

	if (!d)
		return no_domain(m->dev);
	if (!pages)
		return 0;
	at = ALIGN_DOWN(at, PAGE_SIZE);
	flags = spin_lock_irqsave(&d->lock);
	/* LAB 10 bytes: some pages of a mapping go, or all, and its bus addresses stay */
	if (at || pages < m->nr)
		err = m->cut ? 0 : cut(d, m, at, pages * PAGE_SIZE);
	else
		cut_all(d, m);
	/* END */
	if (m->cut && museum_on(iova_early) && m->range.end != m->range.start)
		iova_deregister(&d->space, &m->range);
	spin_unlock_irqrestore(&d->lock, flags);
	return err;
}

int dma_cut(struct dma_mapping *m)
{
	return dma_cut_bytes(m, 0, m->nr * PAGE_SIZE);
}

void dma_unmap(struct dma_mapping *m)
{
	struct iommu_domain *d = m->dev->domain;

	if (d) {
		uint64_t flags = spin_lock_irqsave(&d->lock);

		cut_all(d, m);
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
	err = dma_map_range(dev, &mem->map, pfn_to_page(frame >> PAGE_SHIFT), 1ul << order, dir);
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
