/* SPDX-License-Identifier: MIT */
/*
 * Making records, and the table that says whose a pfn is.
 */
#include "mm/device/internal.h"
#include "mm/tables/internal.h"
#include "tests/explore/explore.h"

static struct pgmap pgmap, beside;
static const struct page *found[2]; /* by thread 0, and by thread 1 */
static uint64_t frames, tables;	    /* of records and of page tables, before */

static int bound(void)
{
	pgmap = fake_pgmap(0, 2);
	found[0] = found[1] = NULL;
	frames = record_frames;
	tables = page_table_frames();
	return memremap_pages(&pgmap);
}

static void unbind(void)
{
	memunmap_pages(&pgmap);
}

/* The record of the first page as it is in memory; NULL: there is none yet. */
static const struct page *record(void)
{
	uint64_t va = (uint64_t)pfn_to_page(pgmap.range[0].start);
	const uint64_t *pte = pte_leaf(kernel_root, va);
	uint64_t entry = pte ? __atomic_load_n(pte, __ATOMIC_ACQUIRE) : 0;

	if (!(entry & PTE_P))
		return NULL;
	return (struct page *)((char *)phys_to_virt(entry & PTE_PHYS) + va % PAGE_SIZE);
}

static void check_record(void)
{
	const struct page *p = record();

	X_EXPECT("I2", !p || p->pgmap == &pgmap, "a record is found that has no device");
}

static void populate(void)
{
	int err = page_records_populate(pgmap.range[0].start, 1);

	X_EXPECT("I4", !err, "populate: error %d", err);
	found[cpu_id()] = record();
	X_EXPECT("I2", found[cpu_id()], "a record was made, and is not there");
	check_record();
}

/* Whoever took a reference by the first frame would have lost it with that. */
static void check_one_frame(void)
{
	uint64_t counted = record_frames - frames;
	int64_t others = x_frames_taken() - (int64_t)(page_table_frames() - tables);

	X_EXPECT("I2", found[0] == found[1] && record() == found[0],
		 "a frame of records was replaced by another one");
	X_EXPECT("books", counted == 1, "one frame of records was made, and %lu are counted",
		 counted);
	X_EXPECT("books", others == 1, "one frame of records stands there, and %ld are gone",
		 others);
}

EXPLORE_SCENARIO(populate_two, "records.populate-two",
		 "of two that make the same records one frame is left, and it is whole",
		 .setup = bound, .teardown = unbind, .step = check_record, .end = check_one_frame,
		 .thread = {{"first", populate}, {"second", populate}});

/* ---- the table of ranges -----------------------------------------------------------------------
 */

static void look_up(void)
{
	struct pgmap *found = pgmap_get(pgmap.range[0].start);

	x_observe(found != NULL);
	X_EXPECT("I2", !found || found == &pgmap, "a pfn leads to another device");
	if (found)
		pgmap_put(found);
}

/* Two changes, one behind the other: the second one is made in the table that was left. */
static void change_twice(void)
{
	pgmap_table_lock();
	pgmap_table_remove(&pgmap);
	X_EXPECT("I4", !pgmap_table_add(&beside), "the table is full");
	pgmap_table_unlock();
}

static int two_ranges(void)
{
	int err = bound();

	beside = fake_pgmap(4, 2);
	return err;
}

EXPLORE_SCENARIO(lookup_remove, "pgmap.lookup-remove",
		 "a look-up finds a table that nobody changes", .setup = two_ranges,
		 .teardown = unbind, .thread = {{"look", look_up}, {"change", change_twice}},
		 .interrupts = true);
