/* SPDX-License-Identifier: MIT */
/*
 * memremap_pages(): device memory comes, and leaves again without a trace.
 *
 * Coming: check everything; enter the ranges in the table (not live yet, so nobody finds them, but
 * nobody else can have them either); map them into the kernel's direct map; live. No record is
 * made: binding 4 TiB costs what binding 2 MiB costs, but for one direct-map entry per GiB.
 *
 * Leaving, in reverse. Kill: look-ups fail from now on. Drop the initial references, where pages
 * have one. Drain: wait for the last user. Grace: a put that found its page idle may still be
 * telling the owner, with interrupts off. Only then records, direct map and ranges go.
 */
#include "mm/device/internal.h"

MUSEUM(drain_without_grace, "drain-without-grace",
       "records go while a put that found its page idle is still telling the owner; shown by "
       "selftest mm.memremap-unmap-grace");

static uint64_t slots_taken[COMPOUND_SLOTS / 64]; /* pgmap_table_lock; zero: no compound records */

/* A window for the records: the common one, or a slot of the compound one. */
static int window_take(struct pgmap *pgmap)
{
	pgmap->record_base = RECORD_BASE;
	if (!pgmap->vmemmap_shift)
		return 0;
	for (unsigned slot = 0; slot < COMPOUND_SLOTS; slot++) {
		uint64_t bit = 1ull << (slot & 63);

		if (record_slot_shift(slot) != pgmap->vmemmap_shift ||
		    (slots_taken[slot / 64] & bit))
			continue;
		slots_taken[slot / 64] |= bit;
		pgmap->record_base = record_slot_base(slot);
		return 0;
	}
	return refuse(-ENOMEM,
		      "all %u windows for compound records of this size are taken; unbind one",
		      COMPOUND_SLOTS / 2);
}

static void window_return(const struct pgmap *pgmap)
{
	unsigned slot = (pgmap->record_base - COMPOUND_BASE) / COMPOUND_SLOT_SIZE;

	if (pgmap->vmemmap_shift)
		slots_taken[slot / 64] &= ~(1ull << (slot & 63));
}

/* Checks and enters the ranges, or changes nothing. */
static int claim_ranges(struct pgmap *pgmap)
{
	int err;

	pgmap_table_lock();
	err = pgmap_check(pgmap);
	if (!err)
		err = window_take(pgmap);
	if (!err) {
		/* Before anybody finds it: of none there is no reference to be had, nor one of the
		 * time before. */
		memset(&pgmap->ref, 0, sizeof(pgmap->ref));
		err = pgmap_table_add(pgmap);
		if (err)
			window_return(pgmap);
	}
	pgmap_table_unlock();
	return err;
}

static void unclaim_ranges(struct pgmap *pgmap)
{
	pgmap_table_lock();
	pgmap_table_remove(pgmap);
	window_return(pgmap);
	pgmap_table_unlock();
}

static uint64_t range_va(const struct pgmap_range *r)
{
	return DIRECT_BASE + (r->start << PAGE_SHIFT);
}

static uint64_t range_bytes(const struct pgmap_range *r)
{
	return (r->end - r->start) << PAGE_SHIFT;
}

static void unmap_ranges(const struct pgmap *pgmap, unsigned nr)
{
	while (nr-- > 0)
		kernel_unmap(range_va(&pgmap->range[nr]), range_bytes(&pgmap->range[nr]), false);
}

/* Ranges 0 … k, or none: what a failed range has got of its own is taken away with the rest. */
static int map_ranges(struct pgmap *pgmap)
{
	for (unsigned i = 0; i < pgmap->nr_range; i++) {
		const struct pgmap_range *r = &pgmap->range[i];

		if (!kernel_map(range_va(r), r->start << PAGE_SHIFT, range_bytes(r),
				PTE_W | PTE_NX | PTE_G, 3))
			continue;
		unmap_ranges(pgmap, i + 1);
		return refuse(-ENOMEM,
			      "no memory for the page tables that map range %u (%s); one "
			      "frame per GiB, or per 2 MiB at an odd end, is needed",
			      i, SIZE_TEXT(range_bytes(r)));
	}
	return 0;
}

int memremap_pages(struct pgmap *pgmap)
{
	int err;

	might_sleep();
	ASSERT(!pgmap_is_live(pgmap), "pgmap %s is bound already; memunmap_pages() first",
	       pgmap->name);
	spin_init(&pgmap->altmap_lock, "altmap");
	err = claim_ranges(pgmap);
	if (!err) {
		err = map_ranges(pgmap);
		if (err)
			unclaim_ranges(pgmap);
		else
			percpu_ref_init(&pgmap->ref); /* live */
	}
	return err;
}

MUSEUM(bulk_page_refs, "bulk-page-refs",
       "C-8: as in Linux 5.18 to 6.14, unbinding waits for no reference of a page that rests at 1; "
       "shown by race C-8 lifetime=idle-at-one (BROKEN I2); the eras 5.18 and 6.1 have it by "
       "themselves");

/* A page in use, of a design whose unbinding does not look at that use: the device is no longer
 * held for it. The next put or unmapping touches a record that is gone. At rest 1 a mapping never
 * held anything, so the references alone decide. */
static bool forgotten(const struct page *p)
{
	const struct pgmap *pgmap = p->pgmap;
	uint64_t s = page_state(p);

	if (pgmap->rest)
		return state_refs(s) > pgmap->rest &&
		       (pgmap->forgets_references || museum_on(bulk_page_refs));
	if (state_maps(s))
		return pgmap->forgets_mappings;
	return state_refs(s) && pgmap->forgets_references;
}

/* Holds forgotten pages instead of their device, for as long as their records are there. */
static struct pgmap orphanage = {.name = "orphans", .listeners = 1u << 30};

static int forget(struct page *p, void *pgmap)
{
	if (!forgotten(p))
		return 0;
	if (!pgmap_is_live(&orphanage))
		percpu_ref_init(&orphanage.ref);
	orphanage.ops = p->pgmap->ops;
	orphanage.mapped_holds = p->pgmap->mapped_holds;
	percpu_ref_get(&orphanage.ref);
	/* A put that runs right now may have read the old one, and gives that back twice: the price
	 * of a design that lets its records go while they are in use. */
	__atomic_store_n(&p->pgmap, &orphanage, __ATOMIC_RELEASE);
	percpu_ref_put(&((struct pgmap *)pgmap)->ref);
	return 0;
}

static int drop_initial(struct page *p, void *unused)
{
	(void)unused;
	if (!forgotten(p))
		page_drop_initial(p);
	return 0;
}

static int for_each_record(struct pgmap *pgmap, int (*fn)(struct page *, void *), void *arg)
{
	int ret = 0;

	for (unsigned i = 0; i < pgmap->nr_range && !ret; i++) {
		const struct pgmap_range *r = &pgmap->range[i];

		ret = records_for_each(pgmap, r->start, r->end - r->start, fn, arg);
	}
	return ret;
}

void memunmap_drain(struct pgmap *pgmap)
{
	might_sleep();
	assert_no_global_lock("the users of a device's pages");
	ASSERT(pgmap_is_live(pgmap), "pgmap %s must be bound to be unbound", pgmap->name);
	ASSERT(!current_thread()->walks,
	       "a thread that walks page records must not unbind %s: it could wait for itself",
	       pgmap->name);
	percpu_ref_get(&pgmap->ref); /* keeps the sum above zero while initial references drop */
	percpu_ref_kill(&pgmap->ref);
	if (pgmap->rest)
		for_each_record(pgmap, drop_initial, NULL);
	else if (pgmap->forgets_references)
		for_each_record(pgmap, forget, pgmap);
	percpu_ref_put(&pgmap->ref);
	percpu_ref_drain(&pgmap->ref);
	if (!museum_on(drain_without_grace))
		wait_for_readers();
}

void memunmap_finish(struct pgmap *pgmap)
{
	ASSERT(percpu_ref_is_used_up(&pgmap->ref),
	       "pgmap %s must have been drained before its records go", pgmap->name);
	records_free(pgmap);
	unmap_ranges(pgmap, pgmap->nr_range);
	unclaim_ranges(pgmap);
}

void memunmap_pages(struct pgmap *pgmap)
{
	memunmap_drain(pgmap);
	memunmap_finish(pgmap);
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
	else if ((s & ~PAGE_FOLIO) != p->pgmap->rest)
		c->busy = p;
	return c->busy != NULL;
}

int pgmap_set_rest(struct pgmap *pgmap, uint32_t rest, struct page **busy)
{
	struct rest_change c = {.rest = rest};

	for_each_record(pgmap, change_rest, &c);
	if (c.busy) {
		*busy = c.busy;
		return -EBUSY;
	}
	c.apply = true;
	for_each_record(pgmap, change_rest, &c);
	pgmap->rest = rest;
	return 0;
}
