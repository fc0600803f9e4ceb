/* SPDX-License-Identifier: MIT */
/*
 * memremap_pages() and the tree of ranges that answers "whose pfn is this?".
 *
 * The claim on a range is an interval tree node, not a bit per page or per section, so binding 4 TiB
 * costs what binding 1 GiB costs, but for one direct-map entry per GiB. The whole span is tested
 * for conflicts, a dying neighbour included: it still owns its records.
 */
#include "mm/internal.h"

static int range_cmp(struct pgmap_range *a, struct pgmap_range *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}

static RB_HEAD(range_tree, pgmap_range) ranges = RB_INITIALIZER(&ranges);
static struct spinlock ranges_lock = SPINLOCK_INIT("pgmap ranges");
RB_GENERATE_STATIC(range_tree, pgmap_range, node, range_cmp)

/* First range that ends after `start` and begins before `end`; ranges_lock held. */
static struct pgmap_range *range_find(uint64_t start, uint64_t end)
{
	struct pgmap_range *r = RB_ROOT(&ranges), *best = NULL;

	while (r) {
		if (r->end <= start) {
			r = RB_RIGHT(r, node);
		} else {
			best = r;
			r = RB_LEFT(r, node);
		}
	}
	return best && best->start < end ? best : NULL;
}

static int refuse(const char **why, int err, const char *sentence)
{
	if (why)
		*why = sentence;
	return err;
}

static int check_range(const struct pgmap_range *r, const char **why)
{
	const uint64_t align = PMD_SIZE >> PAGE_SHIFT;

	if (r->start >= r->end)
		return refuse(why, -EINVAL, "a range is empty; give at least 2 MiB");
	if (!IS_ALIGNED(r->start | r->end, align))
		return refuse(why, -EINVAL,
			      "start and end of a range must be multiples of 2 MiB; trim it inwards");
	if (r->end > 1ull << (MIN(cpu_features.phys_bits, MAX_PHYS_BITS) - PAGE_SHIFT))
		return refuse(why, -EINVAL,
			      "a range ends beyond the physical addresses that the CPU can map");
	if (ram_overlaps(r->start << PAGE_SHIFT, r->end << PAGE_SHIFT))
		return refuse(why, -ENXIO, "a range overlaps RAM; device memory must lie outside");
	return 0;
}

static int check(const struct pgmap *pgmap, const char **why)
{
	int err = 0;

	if (!pgmap->nr_range || pgmap->nr_range > PGMAP_MAX_RANGES)
		return refuse(why, -EINVAL, "a pgmap has one to four ranges");
	if (pgmap->type != PGMAP_FS_DAX && pgmap->type != PGMAP_GENERIC)
		return refuse(why, -EINVAL, "the type must be FS_DAX or GENERIC");
	for (unsigned i = 0; i < pgmap->nr_range && !err; i++)
		err = check_range(&pgmap->range[i], why);
	return err;
}

/* Enters all ranges, or none: -ENOMEM is Linux's answer to a conflict. */
static int claim(struct pgmap *pgmap, const char **why)
{
	uint64_t flags = spin_lock_irqsave(&ranges_lock);
	unsigned done = 0;
	int err = 0;

	for (; done < pgmap->nr_range && !err; done++) {
		struct pgmap_range *r = &pgmap->range[done];

		if (range_find(r->start, r->end)) {
			err = refuse(why, -ENOMEM,
				     "another pgmap lies in the range; unbind its device first");
			break;
		}
		r->pgmap = pgmap;
		RB_INSERT(range_tree, &ranges, r);
	}
	while (err && done-- > 0)
		RB_REMOVE(range_tree, &ranges, &pgmap->range[done]);
	spin_unlock_irqrestore(&ranges_lock, flags);
	return err;
}

static void unclaim(struct pgmap *pgmap)
{
	uint64_t flags = spin_lock_irqsave(&ranges_lock);

	for (unsigned i = 0; i < pgmap->nr_range; i++)
		RB_REMOVE(range_tree, &ranges, &pgmap->range[i]);
	spin_unlock_irqrestore(&ranges_lock, flags);
}

static uint64_t range_va(const struct pgmap_range *r)
{
	return DIRECT_BASE + (r->start << PAGE_SHIFT);
}

static uint64_t range_bytes(const struct pgmap_range *r)
{
	return (r->end - r->start) << PAGE_SHIFT;
}

int memremap_pages(struct pgmap *pgmap, const char **why)
{
	int err = check(pgmap, why);
	unsigned i;

	if (!err)
		err = claim(pgmap, why);
	if (err)
		return err;
	percpu_ref_init(&pgmap->ref);
	for (i = 0; i < pgmap->nr_range && !err; i++)
		err = kernel_map(range_va(&pgmap->range[i]), pgmap->range[i].start << PAGE_SHIFT,
				 range_bytes(&pgmap->range[i]), PTE_W | PTE_NX | PTE_G, 3);
	if (err) {
		while (i-- > 0)
			kernel_unmap(range_va(&pgmap->range[i]), range_bytes(&pgmap->range[i]), false);
		unclaim(pgmap);
		return refuse(why, err, "no memory for the direct map of the device");
	}
	__atomic_store_n(&pgmap->live, true, __ATOMIC_RELEASE);
	return 0;
}

void memunmap_pages(struct pgmap *pgmap)
{
	__atomic_store_n(&pgmap->live, false, __ATOMIC_RELEASE);
	percpu_ref_kill(&pgmap->ref);
	percpu_ref_drain(&pgmap->ref);
	for (unsigned i = pgmap->nr_range; i-- > 0;) {
		struct pgmap_range *r = &pgmap->range[i];

		page_records_release(r->start, r->end - r->start);
		kernel_unmap(range_va(r), range_bytes(r), false);
	}
	unclaim(pgmap);
}

struct pgmap *pgmap_get(uint64_t pfn)
{
	uint64_t flags = spin_lock_irqsave(&ranges_lock);
	struct pgmap_range *r = range_find(pfn, pfn + 1);
	struct pgmap *pgmap = r && r->pgmap->live ? r->pgmap : NULL;

	if (pgmap && !percpu_ref_tryget_live(&pgmap->ref))
		pgmap = NULL;
	spin_unlock_irqrestore(&ranges_lock, flags);
	return pgmap;
}

void pgmap_put(struct pgmap *pgmap)
{
	percpu_ref_put(&pgmap->ref);
}

bool pfn_is_device(uint64_t pfn)
{
	uint64_t flags = spin_lock_irqsave(&ranges_lock);
	struct pgmap_range *r = range_find(pfn, pfn + 1);
	bool yes = r && r->pgmap->live;

	spin_unlock_irqrestore(&ranges_lock, flags);
	return yes;
}

/* In order of address; one call per pgmap. fn may sleep: pgmaps are only made and removed by the
 * shell's and the boot's thread, so the tree does not change meanwhile. */
void pgmap_for_each(int (*fn)(struct pgmap *, void *), void *arg)
{
	struct pgmap_range *r;

	RB_FOREACH (r, range_tree, &ranges)
		if (r == &r->pgmap->range[0] && fn(r->pgmap, arg))
			return;
}

struct rest_change {
	uint32_t rest;
	bool apply;
	struct page *busy;
};

static int change_rest(struct page *p, void *arg)
{
	struct rest_change *c = arg;
	uint64_t s = page_state(p);

	if (c->apply)
		__atomic_store_n(&p->state, c->rest, __ATOMIC_RELEASE);
	else if (s != p->pgmap->rest)
		c->busy = p;
	return c->busy != NULL;
}

int pgmap_set_rest(struct pgmap *pgmap, uint32_t rest, struct page **busy)
{
	struct rest_change c = {.rest = rest};

	for (int pass = 0; pass < 2; pass++) {
		c.apply = pass == 1;
		for (unsigned i = 0; i < pgmap->nr_range; i++)
			page_records_for_each(pgmap->range[i].start,
					      pgmap->range[i].end - pgmap->range[i].start,
					      change_rest, &c);
		if (c.busy) {
			*busy = c.busy;
			return -EBUSY;
		}
	}
	pgmap->rest = rest;
	return 0;
}
