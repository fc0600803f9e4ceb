/* SPDX-License-Identifier: MIT */
/*
 * Walkers hold what they walk: I2 for those that only look.
 *
 * A record exists, says the page table; a moment later the device is unbound, its frame is somebody
 * else's, and the load panics. Reading a page's counts needs no reference of the page, but one of
 * the device: here it is taken, and the thread remembers it, so that the look-up of a record can
 * assert that there is one. Contract: memremap.h.
 *
 * A dying pgmap is walked, too, until its last reference is given back: the listing that says who
 * keeps a device from leaving is wanted just then. Not before it was live, though: a binding that
 * fails takes its claim back without looking at references.
 */
#include "mm/device/internal.h"
#include "mm/frames/internal.h"

/* Interrupts off since the pgmap was looked up. */
static bool begin(struct pgmap_walk *w, struct pgmap *pgmap)
{
	struct thread *self = current_thread();

	if (!pgmap || !percpu_ref_tryget(&pgmap->ref))
		return false;
	*w = (struct pgmap_walk){pgmap, self->walks};
	self->walks = w;
	return true;
}

bool pgmap_walk_begin(struct pgmap_walk *w, uint64_t pfn)
{
	uint64_t flags = irq_save();
	bool held = begin(w, pgmap_range_at(pfn, pfn + 1).owner);

	irq_restore(flags);
	return held;
}

void pgmap_walk_end(struct pgmap_walk *w)
{
	struct thread *self = current_thread();

	ASSERT(self->walks == w, "the walk of pgmap %s must be this thread's innermost",
	       w->pgmap->name);
	self->walks = w->outer;
	percpu_ref_put(&w->pgmap->ref);
}

static bool walked_by_us(const struct pgmap *pgmap)
{
	const struct pgmap_walk *w = current_thread()->walks;

	while (w && w->pgmap != pgmap)
		w = w->outer;
	return w != NULL;
}

bool page_records_stay(uint64_t pfn)
{
	const struct pgmap *pgmap = pgmap_range_at(pfn, pfn + 1).owner;

	ASSERT(!irqs_enabled(), "records are kept by interrupts that are off, and they are on");
	if (!pgmap)
		return ram_overlaps(pfn << PAGE_SHIFT, (pfn + 1) << PAGE_SHIFT);
	return !percpu_ref_is_used_up(&pgmap->ref);
}

struct page *pfn_to_record(uint64_t pfn)
{
	uint64_t flags = irq_save();
	const struct pgmap *pgmap = pgmap_range_at(pfn, pfn + 1).owner;
	struct page *p = NULL;

	/* Zero of the references is for ever, so it is asked with interrupts off. */
	if (pgmap && !percpu_ref_is_used_up(&pgmap->ref))
		p = pgmap_pfn_to_record(pgmap, pfn);
	irq_restore(flags);
	ASSERT(!pgmap || !irqs_enabled() || walked_by_us(pgmap),
	       "the record of pfn 0x%lx is looked up by a thread that does not hold pgmap %s: it "
	       "could be unbound before the record is read; pgmap_walk_begin() first",
	       pfn, pgmap->name);
	return p;
}

int page_records_for_each(uint64_t pfn, uint64_t nr, int (*fn)(struct page *, void *), void *arg)
{
	uint64_t end = pfn + nr;
	int ret = 0;

	while (pfn < end && !ret) {
		uint64_t flags = irq_save();
		struct range_entry found = pgmap_range_at(pfn, end);
		struct pgmap_walk w;
		bool held = begin(&w, found.owner);

		irq_restore(flags);
		pfn = MAX(pfn, found.start);
		if (held) {
			ret = records_for_each(w.pgmap, pfn, MIN(end, found.end) - pfn, fn, arg);
			pgmap_walk_end(&w);
		}
		pfn = found.end;
	}
	return ret;
}
