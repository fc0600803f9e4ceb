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
#define PUT_BATCH 64u /* pages put with interrupts off in one go */

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

/* The references are at rest. Is the owner to be told? Not while a mapping holds the page, if a
 * mapping does: then the unmapping that goes last tells it. */
static inline bool idle_matters(const struct pgmap *pgmap, uint64_t old)
{
	return pgmap->ops && !(pgmap->mapped_holds && (old & PAGE_MAP_MASK));
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
	if (!above && idle_matters(pgmap, old))
		pgmap->ops->page_idle(p);
	if (unlikely(above + (int32_t)rest <= 0))
		put_last(p, pgmap, old, n);
}

static inline void put_irq_off(struct page *record, uint32_t n)
{
	uint64_t flags = irq_save();

	put(record, n);
	irq_restore(flags);
}

void __attribute__((noinline)) page_put_record(struct page *record, uint32_t n)
{
	put_irq_off(record, n);
}

void page_put(struct page *p, uint32_t n)
{
	put_irq_off(page_head(p), n);
}

/* One reference of each of nr records that lie side by side within one pgmap. Interrupts off. */
static void put_neighbours(struct page *p, unsigned long nr)
{
	struct pgmap *pgmap = p->pgmap;
	const uint32_t rest = pgmap->rest;
	const struct page *end = p + nr;

	do {
		uint64_t old = __atomic_fetch_sub(&p->state, PAGE_REF, __ATOMIC_ACQ_REL);
		int32_t left = (int32_t)(state_refs(old) - 1), above = left - (int32_t)rest;

		if (above > 0)
			continue;
		if (likely(!above) && idle_matters(pgmap, old))
			pgmap->ops->page_idle(p);
		if (unlikely(left <= 0 || above))
			put_last(p, pgmap, old, 1);
	} while (++p < end);
}

/* The record that counts for p, and in *n for how many pages from p on it is known by now. False:
 * each of those has a record of its own. */
static bool counted_together(const struct page *p, struct page **record, unsigned long *n)
{
	struct page *head = page_head(p), *first = page_first(p);

	*record = head;
	*n = first + FOLIO_PAGES - p; /* of names too: no compound is smaller */
	return head != p || (page_state(head) & PAGE_FOLIO);
}

/* Puts pages p … p + nr, as far as one look at their head tells; value: how many. */
static unsigned long put_run(struct page *p, unsigned long nr)
{
	unsigned long n, flags;
	struct page *record;

	if (counted_together(p, &record, &n)) {
		n = MIN(n, nr);
		page_put_record(record, n);
		return n;
	}
	n = MIN(MIN(n, nr), PUT_BATCH);
	flags = irq_save();
	put_neighbours(record, n);
	irq_restore(flags);
	return n;
}

void page_put_range(struct page *first, unsigned long nr)
{
	while (nr) {
		unsigned long n = put_run(first, nr);

		first += n;
		nr -= n;
	}
}

/* How many of pages[] follow one another in memory, from the first one on. */
static unsigned long run_length(struct page **pages, unsigned long nr)
{
	const struct page *expected = pages[0];
	unsigned long n = 0;

	for (; n + 8 <= nr; n += 8, expected += 8)
#pragma GCC unroll 8
		for (unsigned i = 0; i < 8; i++)
			if (pages[n + i] != expected + i)
				return n + i;
	while (n < nr && pages[n] == expected) {
		n++;
		expected++;
	}
	return n;
}

void page_put_each(struct page **pages, unsigned long nr)
{
	while (nr) {
		unsigned long n = run_length(pages, nr);

		page_put_range(*pages, n);
		pages += n;
		nr -= n;
	}
}

void page_drop_initial(struct page *p)
{
	percpu_ref_get(&p->pgmap->ref); /* the put that reaches zero gives it back */
	page_put_record(p, 1);		/* its own: in a folio every record has one */
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

/* page_map_get() of a folio's head, unless the folio was split meanwhile (false). */
static bool map_get_folio(struct page *head)
{
	uint64_t old = page_state(head);
	bool held = false;

	do {
		if (!(old & PAGE_FOLIO)) {
			if (held)
				percpu_ref_put(&head->pgmap->ref);
			return false;
		}
		if (!(old & IN_USE) && !held) { /* before the mapping shows, as above */
			percpu_ref_get(&head->pgmap->ref);
			held = true;
		}
	} while (!__atomic_compare_exchange_n(&head->state, &old, old + PAGE_MAP, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	if (held && (old & IN_USE))
		percpu_ref_put(&head->pgmap->ref);
	return true;
}

struct page *page_map_get_counted(struct page *p)
{
	for (;;) {
		struct page *head = page_head(p);

		if (head == p || (uint64_t)head >= COMPOUND_BASE) {
			page_map_get(head);
			return head;
		}
		if (map_get_folio(head))
			return head;
	}
}

/* The last use of a page at rest 0 was a mapping. */
static void last_unmapped(struct page *p)
{
	const struct pgmap *pgmap = p->pgmap;

	if (pgmap->mapped_holds && pgmap->ops)
		pgmap->ops->page_idle(p);
}

/* True: that was the last use of a page at rest 0, and its pgmap reference is the caller's now. The
 * pgmap's owner was told, if a mapping holds the page. */
static inline bool map_put(struct page *p)
{
	uint64_t old = __atomic_fetch_sub(&p->state, PAGE_MAP, __ATOMIC_ACQ_REL);

	ASSERT(state_maps(old), "pfn 0x%lx is unmapped more often than it was mapped",
	       page_to_pfn(p));
	if (likely((old & IN_USE) != PAGE_MAP) || p->pgmap->rest)
		return false;
	last_unmapped(p);
	return true;
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

/* ---- folios --------------------------------------------------------------------------------- */

/* All bits that are set in the state of any of the records of one frame. Plain loads: whoever still
 * puts one of these pages only makes the answer "not at rest" one look too old. */
static uint64_t states_of_frame(const struct page *p)
{
	uint64_t all = 0;

#pragma GCC unroll 32
	for (unsigned i = 0; i < RECORDS_PER_FRAME; i++)
		all |= p[i].state;
	return all;
}

/* The marks of all records of the 2 MiB that exist; what was never touched is at rest. */
static uint64_t states_of_folio(const struct page *head)
{
	const uint64_t *pte = pte_leaf(kernel_root, (uint64_t)head);
	uint64_t all = 0;

	ASSERT(pte, "the head of pfn 0x%lx must have been populated", page_to_pfn(head));
	for (unsigned i = 0; i < FOLIO_PAGES / RECORDS_PER_FRAME; i++)
		if (__atomic_load_n(&pte[i], __ATOMIC_ACQUIRE) & PTE_P)
			all |= states_of_frame(head + i * RECORDS_PER_FRAME);
	return all;
}

bool page_folio_make(struct page *head)
{
	uint64_t rest = head->pgmap->rest, old = states_of_folio(head);

	/* At rest 1 every record has just that bit: their sum of bits is 1 only if all are 1. */
	return (old & ~PAGE_FOLIO) == rest &&
	       __atomic_compare_exchange_n(&head->state, &old, rest | PAGE_FOLIO, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

bool page_folio_split(struct page *head)
{
	uint64_t rest = head->pgmap->rest, old = rest | PAGE_FOLIO;

	return __atomic_compare_exchange_n(&head->state, &old, rest, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE) ||
	       !(old & PAGE_FOLIO);
}
