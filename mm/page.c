/* SPDX-License-Identifier: MIT */
/*
 * Counting on page records: references, mappings, and what they hold up. The protocol is in page.h,
 * records.c makes the records.
 *
 * What a page in use holds of its pgmap (I2):
 *   rest 0  one reference of the pgmap from birth (first reference or mapping) to the last put of
 *           either kind;
 *   rest 1  nothing while the device is bound. Unbinding drops the reference that every record
 * began with, and takes a pgmap reference for it first: whoever brings the page to zero, that drop
 * or a later put, gives it back.
 *
 * A put reads what it needs of the record before it gives up its right to the record, and keeps
 * interrupts off until it has told the owner: memunmap_pages() waits for that, so the pgmap and its
 * ops are still there.
 */
#include "mm/pgmap.h"

#define IN_USE	  (PAGE_REF_MASK | PAGE_MAP_MASK)
#define PUT_BATCH 64 /* pages put with interrupts off in one go */

bool page_get(struct page *p, uint32_t n)
{
	uint64_t old = page_state(p);

	do {
		/* Nobody references it and nothing maps it: it may belong to another file already.
		 */
		if (!(old & (PAGE_REF_MASK | PAGE_MAP_MASK)))
			return false;
		ASSERT(state_refs(old) + n > state_refs(old),
		       "reference count of pfn 0x%lx must not overflow: %u + %u", page_to_pfn(p),
		       state_refs(old), n);
	} while (!__atomic_compare_exchange_n(&p->state, &old, old + n * PAGE_REF, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

bool page_get_first(struct page *p, uint32_t n)
{
	uint64_t old = page_state(p);
	bool held = false;

	do {
		if (!(old & IN_USE) && !held) {
			held = percpu_ref_tryget_live(&p->pgmap->ref);
			if (!held)
				return false;
		}
	} while (!__atomic_compare_exchange_n(&p->state, &old, old + n * PAGE_REF, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	if (held && (old & IN_USE)) /* somebody else gave birth meanwhile */
		percpu_ref_put(&p->pgmap->ref);
	return true;
}

/* No reference is left, or fewer than none should be. Interrupts off. */
static void __attribute__((noinline))
put_last(struct page *p, struct pgmap *pgmap, uint64_t old, uint32_t n)
{
	ASSERT(state_refs(old) >= n && (state_refs(old) - n >= pgmap->rest || pgmap->ref.dying),
	       "put of %u references on pfn 0x%lx, which holds %u and rests at %u", n,
	       page_to_pfn(p), state_refs(old), pgmap->rest);
	/* At rest 1 a mapping keeps no device: page-lifetime.md C-4. */
	if (pgmap->rest || !(old & PAGE_MAP_MASK))
		percpu_ref_put(&pgmap->ref);
}

/* Interrupts off. */
static inline void put(struct page *p, uint32_t n)
{
	struct pgmap *pgmap = p->pgmap;
	const uint32_t rest = pgmap->rest;
	/* Our own old value decides: another thread may change the word right after. */
	uint64_t old = __atomic_fetch_sub(&p->state, n * PAGE_REF, __ATOMIC_ACQ_REL);
	int32_t above = (int32_t)(state_refs(old) - n - rest);

	if (above > 0)
		return;
	if (!above && pgmap->ops && pgmap->ops->page_idle)
		pgmap->ops->page_idle(p);
	if (unlikely(above + (int32_t)rest <= 0))
		put_last(p, pgmap, old, n);
}

void page_put(struct page *p, uint32_t n)
{
	uint64_t flags = irq_save();

	put(p, n);
	irq_restore(flags);
}

void page_put_each(struct page **pages, unsigned long nr)
{
	for (unsigned long i = 0; i < nr;) {
		unsigned long end = MIN(nr, i + PUT_BATCH);
		uint64_t flags = irq_save();

		for (; i < end; i++)
			put(pages[i], 1);
		irq_restore(flags);
	}
}

void page_drop_initial(struct page *p)
{
	percpu_ref_get(&p->pgmap->ref); /* the put that reaches zero gives it back */
	page_put(p, 1);
}

void page_map_get(struct page *p)
{
	bool held = !(page_state(p) & IN_USE), birth;

	if (held) /* before the mapping shows, else its put comes first and the sum is too low */
		percpu_ref_get(&p->pgmap->ref);
	birth = !(__atomic_fetch_add(&p->state, PAGE_MAP, __ATOMIC_ACQ_REL) & IN_USE);
	if (held && !birth)
		percpu_ref_put(&p->pgmap->ref);
	else if (birth && !held)
		percpu_ref_get(&p->pgmap->ref);
}

/* True: that was the last use of a page at rest 0, and its pgmap reference is the caller's now. */
static inline bool map_put(struct page *p)
{
	uint64_t old = __atomic_fetch_sub(&p->state, PAGE_MAP, __ATOMIC_ACQ_REL);

	ASSERT(state_maps(old), "pfn 0x%lx is unmapped more often than it was mapped",
	       page_to_pfn(p));
	return unlikely((old & IN_USE) == PAGE_MAP) && !p->pgmap->rest;
}

void page_map_put(struct page *p)
{
	if (map_put(p))
		percpu_ref_put(&p->pgmap->ref);
}

void page_map_put_each(struct page **pages, unsigned long nr)
{
	struct pgmap *pgmap = NULL; /* of the last pages to go */
	int64_t gone = 0;

	for (unsigned long i = 0; i < nr; i++) {
		if (!map_put(pages[i]))
			continue;
		if (pages[i]->pgmap != pgmap && gone) {
			percpu_ref_put_many(&pgmap->ref, gone);
			gone = 0;
		}
		pgmap = pages[i]->pgmap;
		gone++;
	}
	if (gone)
		percpu_ref_put_many(&pgmap->ref, gone);
}
