/* SPDX-License-Identifier: MIT */
/*
 * Counting on page records: references, mappings, and what they hold up. The protocol is in page.h,
 * records.c makes the records.
 *
 * What a page in use holds of its pgmap (I2):
 *   rest 0  one reference of the pgmap from birth (first reference or mapping) to the last put of
 *           either kind;
 *   rest 1  nothing while the device is bound. Unbinding drops the reference that every
 *           record began with, and takes a pgmap reference for it first: whoever brings
 *           the page to zero, that drop or a later put, gives it back.
 *
 * A put reads what it needs of the record before it gives up its right to the record, and keeps
 * interrupts off until it has told the owner: memunmap_pages() waits for that, so the pgmap and its
 * ops are still there.
 *
 * Telling. Most puts that bring a page to rest interest nobody. Who waits for one says so first, by
 * pgmap_listen(), and looks at the count after that; the put changes the count and looks for
 * listeners after that. Both sides have a full barrier in between, so one of the two sees the
 * other. A run of neighbours needs one look behind its last decrement.
 */
#include "mm/device/internal.h"
#include "mm/page/internal.h"

#define IN_USE	  (PAGE_REF_MASK | PAGE_MAP_MASK)
#define PUT_BATCH 512u /* pages put with interrupts off in one go */
#define UNROLL	  16u  /* of the loop that puts */
#define LOOKS	  32u  /* of the one that only looks */

MUSEUM(get_from_zero, "get-from-zero",
       "a reference is taken from a page that nobody holds, and from one that its file has "
       "freed (F-2); shown by race F-2 (BROKEN I2), and selftest mm.no-birth-from-zero and "
       "selftest mm.busy-refuses");
MUSEUM(reread_state, "reread-state",
       "a put looks for the busy mark in the word as it is later, not as its own change "
       "found it (F-1); shown by race F-1 (BROKEN I1) and selftest mm.busy-second-life");
MUSEUM(folio_waits, "folio-waits-for-maps",
       "F-9: the release of a partly freed folio waits for its mappings, which are of the part "
       "that its file still has; shown by race F-9 (BROKEN I4)");
STEP_POINT_DECLARE(page_put_changed);
STEP_POINT_DECLARE(page_birth_held);
STEP_POINT_DECLARE(page_map_looked); /* at the word, which changes next */

bool page_get(struct page *p, uint32_t n)
{
	uint64_t old = page_state(p);

	do {
		/* It may belong to another file already. */
		if (!state_may_get(old) && !museum_on(get_from_zero))
			return false;
		ASSERT(state_refs(old) + (uint64_t)n < PAGE_REF_LIMIT,
		       "pfn 0x%lx has %u references, and %u more are too many", page_to_pfn(p),
		       state_refs(old), n);
	} while (!__atomic_compare_exchange_n(&p->state, &old, old + n * PAGE_REF, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

bool page_get_folio(struct page *head, uint32_t n)
{
	uint64_t old = page_state(head);

	do {
		if (!(old & PAGE_FOLIO) || !state_may_get(old))
			return false;
		page_check_seen(old + n);
	} while (!__atomic_compare_exchange_n(&head->state, &old, old + n * PAGE_REF, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

bool page_get_first(struct page *p, uint32_t n)
{
	uint64_t old = page_state(p);
	bool held = false;

	do {
		if (!(old & (IN_USE | PAGE_BUSY)) && !held)
			held = percpu_ref_tryget_live(&p->pgmap->ref);
		STEP_POINT(page_birth_held);
		if ((old & PAGE_BUSY) || !((old & IN_USE) || held)) {
			if (held)
				percpu_ref_put(&p->pgmap->ref);
			return false;
		}
	} while (!__atomic_compare_exchange_n(&p->state, &old, old + n * PAGE_REF, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	if (held && (old & IN_USE)) /* somebody else gave birth meanwhile */
		percpu_ref_put(&p->pgmap->ref);
	return true;
}

/* No reference is left, or fewer than none should be: of nr neighbours from p on. Interrupts off.
 */
static void __attribute__((noinline))
put_last(struct page *p, unsigned long nr, uint64_t old, uint32_t n)
{
	struct pgmap *pgmap = p->pgmap;

	ASSERT(state_refs(old) >= n &&
		       (state_refs(old) - n >= pgmap->rest || pgmap->ref.phase > REF_LIVE),
	       "put of %u references on pfn 0x%lx, which holds %u and rests at %u", n,
	       page_to_pfn(p), state_refs(old), pgmap->rest);
	/* At rest 1 a mapping keeps no device: docs/weaknesses.md C-4. */
	if (pgmap->rest || !(old & PAGE_MAP_MASK))
		percpu_ref_put_many(&pgmap->ref, (int64_t)nr);
}

/* Is the owner to be told that the references are at rest? Not if a mapping holds the page and
 * there is one: then the unmapping that goes last tells it. Behind the change of the word. */
static inline bool wants_to_know(const struct pgmap *pgmap, uint64_t old)
{
	return __atomic_load_n(&pgmap->listeners, __ATOMIC_RELAXED) &&
	       !(pgmap->mapped_holds && (old & PAGE_MAP_MASK)) && pgmap->ops;
}

/* A busy page was brought to rest by us, and so it is ours to release: mappings delay that, but not
 * of a folio, whose mappings are those of the part that its file still has (F-9). */
static bool __attribute__((noinline)) busy_ends(uint64_t old)
{
	/* LAB 11 put-ends: is the release that of the put whose change found old? */
	const bool folio = (old & PAGE_FOLIO) && !museum_on(folio_waits);

	return (old & PAGE_BUSY) && (folio || !(old & PAGE_MAP_MASK));
	/* END */
}

static void __attribute__((noinline)) release_all(struct page *p, unsigned long nr)
{
	for (; nr; nr--)
		page_release_busy(p++);
}

/* The references of nr neighbours from p on are at rest, by changes that found `old` in each. */
static inline void came_to_rest(struct pgmap *pgmap, struct page *p, unsigned long nr, uint64_t old)
{
	if (unlikely(old & PAGE_BUSY)) {
		if (busy_ends(old))
			release_all(p, nr);
	} else if (wants_to_know(pgmap, old)) {
		for (; nr; nr--)
			pgmap->ops->page_idle(p++);
	}
}

/* What follows from taking n references off each of nr neighbours, which were all found `old`: that
 * value alone decides, since others may change the words right after. Interrupts off. */
static inline void put_done(struct pgmap *pgmap, struct page *p, unsigned long nr, uint64_t old,
			    uint32_t n)
{
	const uint32_t rest = pgmap->rest;
	int32_t above = (int32_t)(state_refs(old) - n - rest);

	if (above > 0)
		return;
	if (!above)
		came_to_rest(pgmap, p, nr, old);
	if (above + (int32_t)rest <= 0)
		put_last(p, nr, old, n);
}

/* Interrupts off. */
static inline void put(struct page *p, uint32_t n)
{
	struct pgmap *pgmap = p->pgmap;
	uint64_t old = __atomic_fetch_sub(&p->state, n * PAGE_REF, __ATOMIC_ACQ_REL);

	STEP_POINT(page_put_changed);
	if (museum_on(reread_state))
		old |= page_state(p) & PAGE_BUSY;
	put_done(pgmap, p, 1, old, n);
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
	put_irq_off(page_to_record(p), n);
}

/*
 * Neighbours mostly are in the same state. So the words of nr records side by side are changed from
 * `from` to `to`, one compare-exchange each, with no look before it and none after it: what it
 * expects is what the last one found. Value: how many, up to the first that is anything else.
 */
static inline unsigned long change_alike(struct page *p, unsigned long nr, uint64_t from,
					 uint64_t to)
{
	struct page *const first = p, *const end = p + nr;

	for (; p <= end - UNROLL; p += UNROLL)
#pragma GCC unroll 16
		for (unsigned i = 0; i < UNROLL; i++)
			if (unlikely(!page_change(p + i, &from, to)))
				return p - first + i;
	for (; p < end && page_change(p, &from, to); p++)
		;
	return p - first;
}

static inline uint64_t put_one(struct page *p)
{
	return __atomic_fetch_sub(&p->state, PAGE_REF, __ATOMIC_ACQ_REL);
}

/* Takes a reference off each of nr records, whatever their states. What the old value means is
 * asked once for each series of equal ones. Interrupts off. */
static void __attribute__((noinline))
put_mixed(struct pgmap *pgmap, struct page *p, unsigned long nr)
{
	const struct page *end = p + nr;
	uint64_t old = put_one(p), next = old;

	while (p < end) {
		struct page *first = p++;

		for (; p < end && (next = put_one(p)) == old; p++)
			;
		put_done(pgmap, first, p - first, old, 1);
		old = next;
	}
}

/*
 * One reference of each of nr records that lie side by side within one pgmap. Interrupts off.
 * All in the state of the first one is a guess, which costs a locked instruction where it is wrong:
 * from there on none is made.
 */
static void put_neighbours(struct page *p, unsigned long nr)
{
	struct pgmap *pgmap = p->pgmap;
	uint64_t old = page_state(p);
	unsigned long n = change_alike(p, nr, old, old - PAGE_REF);

	if (n)
		put_done(pgmap, p, n, old, 1);
	if (unlikely(n < nr))
		put_mixed(pgmap, p + n, nr - n);
}

/* The record that counts for p, and in *n for how many pages from p on it is known by now. False:
 * each of those has a record of its own. */
static bool counted_together(const struct page *p, struct page **record, unsigned long *n)
{
	struct page *head = page_to_record(p), *first = page_to_first(p);

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
static unsigned long count_neighbours(struct page **pages, unsigned long nr)
{
	struct page **at = pages, **const end = pages + nr;
	const struct page *expected = pages[0];

	for (; at <= end - LOOKS; at += LOOKS, expected += LOOKS)
#pragma GCC unroll 32
		for (unsigned i = 0; i < LOOKS; i++)
			if (at[i] != expected + i)
				return at - pages + i;
	for (; at < end && *at == expected; at++)
		expected++;
	return at - pages;
}

void page_put_each(struct page **pages, unsigned long nr)
{
	while (nr) {
		unsigned long n = count_neighbours(pages, nr);

		page_put_range(*pages, n);
		pages += n;
		nr -= n;
	}
}

bool page_any_deaf;

/* As any put, without the look at who wants to know. Interrupts off. */
static void put_deaf(struct page *p)
{
	uint64_t old = __atomic_fetch_sub(&p->state, PAGE_REF, __ATOMIC_ACQ_REL);

	if (state_refs(old) <= 1)
		put_last(p, 1, old, 1);
}

void page_put_each_by(struct page **pages, unsigned long nr, unsigned way)
{
	for (unsigned long i = 0; i < nr; i++) {
		struct page *record = page_to_record(pages[i]);
		const struct pgmap_ops *ops = record->pgmap->ops;
		uint64_t flags = irq_save();

		if (ops && (ops->deaf & way))
			put_deaf(record);
		else
			put(record, 1);
		irq_restore(flags);
	}
}

void page_drop_initial(struct page *p)
{
	percpu_ref_get(&p->pgmap->ref); /* the put that reaches zero gives it back */
	page_put_record(p, 1);		/* its own: in a folio every record has one */
}

void page_map_get(struct page *p)
{
	/* At rest 1 nobody is born here: a record without its own reference is one of a device
	 * that is going, and a mapping does not hold that (C-4). */
	bool held = !(page_state(p) & IN_USE) && !p->pgmap->rest, birth;

	if (held) /* before the mapping shows, else its put comes first and the sum is too low */
		percpu_ref_get(&p->pgmap->ref);
	else
		STEP_POINT(page_map_looked);
	birth = !(__atomic_fetch_add(&p->state, PAGE_MAP, __ATOMIC_ACQ_REL) & IN_USE) &&
		!p->pgmap->rest;
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
		/* before the mapping shows, as above */
		if (!(old & IN_USE) && !held && !head->pgmap->rest) {
			percpu_ref_get(&head->pgmap->ref);
			held = true;
		}
		STEP_POINT(page_map_looked);
	} while (!__atomic_compare_exchange_n(&head->state, &old, old + PAGE_MAP, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	if (held && (old & IN_USE))
		percpu_ref_put(&head->pgmap->ref);
	return true;
}

struct page *page_map_get_counted(struct page *p)
{
	for (;;) {
		struct page *head = page_to_record(p);

		if (head == p || (uint64_t)head >= COMPOUND_BASE) {
			page_map_get(head);
			return head;
		}
		if (map_get_folio(head))
			return head;
	}
}

/* The last use of nr neighbours at rest 0 was a mapping; all were found `old`. */
static void last_unmapped(const struct pgmap *pgmap, struct page *p, unsigned long nr, uint64_t old)
{
	if (unlikely(old & PAGE_BUSY)) {
		/* A folio's end came with its last reference. */
		if (!(old & PAGE_FOLIO) || museum_on(folio_waits))
			release_all(p, nr);
	} else if (pgmap->mapped_holds && wants_to_know(pgmap, 0)) {
		for (; nr; nr--)
			pgmap->ops->page_idle(p++);
	}
}

static uint64_t map_put_one(struct page *p)
{
	return __atomic_fetch_sub(&p->state, PAGE_MAP, __ATOMIC_ACQ_REL);
}

/* What follows from taking a mapping off each of nr neighbours, which were all found `old`. Value:
 * how many pgmap references are the caller's now. */
static unsigned long map_put_done(struct page *p, unsigned long nr, uint64_t old)
{
	ASSERT(state_maps(old), "pfn 0x%lx is unmapped more often than it was mapped",
	       page_to_pfn(p));
	if (likely((old & IN_USE) != PAGE_MAP) || p->pgmap->rest)
		return 0;
	last_unmapped(p->pgmap, p, nr, old);
	return nr;
}

/* As put_mixed(). */
static unsigned long __attribute__((noinline)) map_put_mixed(struct page *p, unsigned long nr)
{
	const struct page *end = p + nr;
	uint64_t old = map_put_one(p), next = old;
	unsigned long gone = 0;

	while (p < end) {
		struct page *first = p++;

		for (; p < end && (next = map_put_one(p)) == old; p++)
			;
		gone += map_put_done(first, p - first, old);
		old = next;
	}
	return gone;
}

/* As put_neighbours(). */
void page_map_put_run(struct page *p, unsigned long nr)
{
	struct pgmap *pgmap = p->pgmap;
	uint64_t old = page_state(p);
	unsigned long n = change_alike(p, nr, old, old - PAGE_MAP), gone = 0;

	if (n)
		gone = map_put_done(p, n, old);
	if (unlikely(n < nr))
		gone += map_put_mixed(p + n, nr - n);
	if (gone)
		percpu_ref_put_many(&pgmap->ref, (int64_t)gone);
}

void page_map_put(struct page *p)
{
	page_map_put_run(p, 1);
}

struct page *page_find_held(struct page *first, unsigned long nr, uint32_t refs)
{
	struct page *end = first + nr, *stop, *record;
	unsigned long n;

	for (struct page *p = first; p < end; p = stop) {
		bool together = counted_together(p, &record, &n);

		stop = MIN(p + n, end);
		if (together && page_refs(record) > refs)
			return p;
		for (; !together && p < stop; p++)
			if (page_refs(p) > refs)
				return p;
	}
	return NULL;
}
