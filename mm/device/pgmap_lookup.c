/* SPDX-License-Identifier: MIT */
/*
 * Whose pfn is this? Answered without a lock, from a sorted table of ranges.
 *
 * There are two tables. Readers use the published one, with interrupts off; a writer copies it into
 * the other one, changes that, publishes it by one store of a pointer, and waits until every CPU
 * has passed through an interrupt: from then on no reader is left in the old table, nor at a pgmap
 * that was only there. Nothing is allocated, so taking a range out cannot fail.
 *
 * The bitmap of sub-sections that Linux keeps per section, and pfn_valid() with it, are views of
 * this table: binding costs the same for one range of 2 MiB and for one of 4 TiB.
 */
#include "mm/device/internal.h"

MUSEUM(offset_in_range, "offset-in-range",
       "R3: the offset of a page in a device of several ranges is counted within its own range; "
       "shown by selftest mm.memremap-several-ranges");
MUSEUM(table_reused_early, "range-table-reused",
       "a table of ranges is changed again while a reader is still in it; found by explore "
       "pgmap.lookup-remove (race)");

static struct range_table tables[2];
static struct range_table *published = &tables[0];
static struct mutex writers = MUTEX_INIT_GLOBAL("pgmap ranges");

void pgmap_table_lock(void)
{
	mutex_lock(&writers);
}

void pgmap_table_unlock(void)
{
	mutex_unlock(&writers);
}

const struct range_table *pgmap_table(void)
{
	assert_mutex_held(&writers);
	return published;
}

static void pass_through(void *unused)
{
	(void)unused;
}

void wait_for_readers(void)
{
	cpu_call((1u << nr_cpus) - 1, pass_through, NULL);
}

/* A copy that no reader looks at: the last writer has waited for them. */
static struct range_table *copy_published(void)
{
	struct range_table *copy = published == &tables[0] ? &tables[1] : &tables[0];

	assert_mutex_held(&writers);
	range_copy(copy, published);
	return copy;
}

static void publish(struct range_table *t)
{
	/* Contents before the pointer (release), else a reader finds half a table. */
	__atomic_store_n(&published, t, __ATOMIC_RELEASE);
	if (!museum_on(table_reused_early))
		wait_for_readers();
}

int pgmap_table_add(struct pgmap *pgmap)
{
	struct range_table *t = copy_published();

	if (t->nr + pgmap->nr_range > RANGES_MAX)
		return refuse(-ENOMEM,
			      "%u ranges are bound, and the table holds %u; unbind a device", t->nr,
			      RANGES_MAX);
	for (unsigned i = 0; i < pgmap->nr_range; i++)
		ASSERT(range_insert(t, pgmap->range[i].start, pgmap->range[i].end, pgmap),
		       "range %u of pgmap %s must have been checked", i, pgmap->name);
	publish(t);
	return 0;
}

void pgmap_table_remove(struct pgmap *pgmap)
{
	struct range_table *t = copy_published();

	range_remove(t, pgmap);
	publish(t);
}

/* Interrupts off, and the value is good until they are on again. */
static struct pgmap *lookup(uint64_t pfn)
{
	const struct range_table *t = __atomic_load_n(&published, __ATOMIC_ACQUIRE);
	const struct range_entry *e = range_find(t, pfn, pfn + 1);

	return e ? e->owner : NULL;
}

struct range_entry pgmap_range_at(uint64_t pfn, uint64_t end)
{
	const struct range_table *t = __atomic_load_n(&published, __ATOMIC_ACQUIRE);
	const struct range_entry *e = range_find(t, pfn, end);

	return e ? *e : (struct range_entry){end, end, NULL};
}

static bool is_live(const struct pgmap *pgmap)
{
	return pgmap && pgmap_is_live(pgmap);
}

struct pgmap *pgmap_get(uint64_t pfn)
{
	uint64_t flags = irq_save();
	struct pgmap *pgmap = lookup(pfn);

	if (pgmap && !percpu_ref_tryget_live(&pgmap->ref))
		pgmap = NULL;
	irq_restore(flags);
	return pgmap;
}

static bool covers(const struct pgmap *pgmap, uint64_t pfn)
{
	for (unsigned i = 0; i < pgmap->nr_range; i++)
		if (pfn >= pgmap->range[i].start && pfn < pgmap->range[i].end)
			return true;
	return false;
}

struct pgmap *pgmap_get_next(uint64_t pfn, struct pgmap *cached)
{
	if (cached && covers(cached, pfn))
		return cached;
	if (cached)
		pgmap_put(cached);
	return pgmap_get(pfn);
}

void pgmap_put(struct pgmap *pgmap)
{
	percpu_ref_put(&pgmap->ref);
}

bool pfn_valid(uint64_t pfn)
{
	uint64_t flags = irq_save();
	bool yes = lookup(pfn) != NULL;

	irq_restore(flags);
	return yes;
}

bool pfn_is_device(uint64_t pfn)
{
	uint64_t flags = irq_save();
	bool yes = is_live(lookup(pfn));

	irq_restore(flags);
	return yes;
}

bool pgmap_pfn_valid(const struct pgmap *pgmap, uint64_t pfn)
{
	return covers(pgmap, pfn) &&
	       (!pgmap_has_altmap(pgmap) || pfn >= altmap_first_pfn(&pgmap->altmap));
}

uint64_t pgmap_pfn_to_offset(const struct pgmap *pgmap, uint64_t pfn)
{
	uint64_t before = 0;

	for (unsigned i = 0; i < pgmap->nr_range; i++) {
		const struct pgmap_range *r = &pgmap->range[i];

		if (pfn >= r->start && pfn < r->end)
			return before + pfn - r->start;
		if (!museum_on(offset_in_range))
			before += r->end - r->start;
	}
	panic("pfn 0x%lx must lie in pgmap %s, which has no such range", pfn, pgmap->name);
}

uint64_t pfn_subsections(uint64_t pfn)
{
	uint64_t flags = irq_save();
	uint64_t bits = range_bits(__atomic_load_n(&published, __ATOMIC_ACQUIRE),
				   ALIGN_DOWN(pfn, SECTION_PAGES), SUBSECTION_PAGES);

	irq_restore(flags);
	return bits;
}

void pgmap_for_each(int (*fn)(struct pgmap *, void *), void *arg)
{
	pgmap_table_lock();
	for (unsigned i = 0; i < published->nr; i++) {
		struct pgmap *pgmap = published->r[i].owner;

		if (published->r[i].start == pgmap->range[0].start && fn(pgmap, arg))
			break;
	}
	pgmap_table_unlock();
}

struct page *name_to_record(const struct page *name)
{
	uint64_t pfn = page_to_pfn(name), flags;
	const struct pgmap *pgmap;

	if ((uint64_t)name < NAME_BASE)
		return (struct page *)name; /* a compound's record itself */
	flags = irq_save();
	pgmap = lookup(pfn);
	irq_restore(flags);
	ASSERT(pgmap && pgmap->vmemmap_shift,
	       "pfn 0x%lx is named as part of a compound, and is none", pfn);
	return pgmap_pfn_to_page(pgmap, pfn);
}
