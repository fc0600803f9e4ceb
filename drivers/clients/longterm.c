/* SPDX-License-Identifier: MIT */
/*
 * Pages held for an unbounded time and registered with a device: what RDMA regions, frame buffers
 * and containers have in common.
 *
 * Such a pin ends when its user says so, which may be never. On file-system DAX it would keep a
 * truncate waiting, or a block out of use, for as long; so FOLL_LONGTERM is refused there. All or
 * nothing: a device that was promised a range has no use for half of it, so behind the short count
 * with which get_user_pages() may answer comes another call, and its error is the answer.
 *
 * The pages are mapped for the device once, at registration, and every transfer goes by these bus
 * addresses: they are what the device was told, so they stay registered as long as it may use them.
 * In the order pin, map, hold; and back in the reverse one.
 */
#include "drivers/clients/internal.h"

int longterm_range(uint64_t addr, unsigned nr)
{
	if (!nr || nr > DMA_MAX_PAGES || (addr & (PAGE_SIZE - 1)))
		return refuse(-EINVAL,
			      "a range of 1 to %u whole pages can be registered, from a multiple "
			      "of 4096 on",
			      DMA_MAX_PAGES);
	return 0;
}

int pin_all(struct mm *mm, uint64_t addr, unsigned nr, unsigned flags, struct page **pages)
{
	unsigned n = 0;
	long got;

	refusal_clear(); /* a sentence of before is not about this */
	do {		 /* a short count does not say why: the next call does */
		uint64_t at = addr + n * PAGE_SIZE;

		got = mm == current_mm() ? get_user_pages_fast(at, nr - n, flags, pages + n)
					 : get_user_pages(mm, at, nr - n, flags, pages + n);
		n += (unsigned)MAX(got, 0);
	} while (n < nr && got > 0);
	if (n == nr)
		return 0;
	unpin_user_pages(pages, n);
	if (got == -EOPNOTSUPP)
		return refuse(-EOPNOTSUPP, LONGTERM_REFUSED);
	return got < 0 ? (int)got : -EFAULT;
}

int longterm_pin(uint64_t addr, unsigned nr, struct page **pages)
{
	return longterm_range(addr, nr)
		       ?: pin_all(current_mm(), addr, nr, FOLL_PIN | FOLL_WRITE | FOLL_LONGTERM,
				  pages);
}

int refuse_map(int err, const struct dma_device *dev, const char *what)
{
	switch (err) {
	case -EEXIST:
		return refuse(
			err,
			"%s uses some of these bus addresses already, or they are kept: for "
			"interrupts, the windows of devices, the firmware; choose others ('iommu' "
			"lists what is mapped)",
			dev->name);
	case -ENOSPC:
	case -ENOMEM:
		return refuse(err, "%s has no %s left for a %s: %s", dev->name,
			      err == -ENOMEM ? "memory" : "bus addresses", what,
			      err == -ENOMEM
				      ? "unmap or remove something"
				      : "what is mapped and not needed has to go ('iommu' lists "
					"it)");
	default: return err; /* with a sentence */
	}
}

int longterm_map(struct longterm *l, struct dma_device *dev, const char *what, uint64_t bus)
{
	int err;

	l->map.what = what;
	err = bus ? dma_map_at(dev, &l->map, bus, l->pages, l->nr, DMA_BOTH)
		  : dma_map(dev, &l->map, l->pages, l->nr, DMA_BOTH);
	if (err) {
		unpin_user_pages(l->pages, l->nr);
		l->nr = 0;
		return refuse_map(err, dev, what);
	}
	l->holder =
		(struct holder){.what = what, .device = dev->name, .pages = l->pages, .nr = l->nr};
	holder_add(&l->holder);
	return 0;
}

int longterm_register(struct longterm *l, struct dma_device *dev, uint64_t addr, unsigned nr,
		      const char *what)
{
	int err = longterm_pin(addr, nr, l->pages);

	if (err)
		return err;
	l->nr = nr;
	return longterm_map(l, dev, what, 0);
}

void longterm_drop(struct longterm *l)
{
	holder_remove(&l->holder); /* first: a report never names a holder whose pages are gone */
	dma_unmap(&l->map);
	unpin_user_pages(l->pages, l->nr);
	l->nr = 0;
}

int longterm_transfer(struct edu *e, const struct dma_mapping *map, const char *text)
{
	int err;
	struct dma_job *job = dma_start_registered(e, map, DMA_IN, text, 1, &err);

	if (!job)
		return err;
	dma_wait(job);
	dma_free(job);
	return 0;
}
