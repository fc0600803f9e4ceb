/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: what it costs to look for a record where there is none (mm.records-*), and that it
 * does not depend on which devices came before. Counted by instructions, in single steps.
 */
#include "mm/device/internal.h"
#include "mm/tables/internal.h"
#include "tests/kernel/bench/bench.h"

#define MIB_OF_TABLE 256u /* of device memory, whose records one table of 4K entries maps */
#define TABLES	     40u
#define PFN_OF(p, n) ((p)->range[0].start + (n) * (MIB_OF_TABLE * MIB >> PAGE_SHIFT))
/* A few instructions for each table that is absent, and the walk and the call around; the sanitizer
 * of `make host-check` has code of its own before each access, and the explorer a call. */
#define INSNS_MAX ((10 * TABLES + 200) * (SHADOW_BUILD ? 16 : EXPLORE_BUILD ? 4 : 1))

static struct search {
	const struct page *from, *end, *found;
	uint64_t insns;
} search;

static void count_insn(const struct trap_frame *tf)
{
	(void)tf;
	search.insns++;
}

static void search_once(void *arg)
{
	struct search *s = arg;

	s->found = page_record_next(s->from, s->end);
}

/* Looks for a record of the device's first TABLES tables: how many instructions that takes. */
static uint64_t steps(const struct pgmap *p)
{
	mutex_lock(&bench_lock);
	search = (struct search){.from = pfn_to_page(PFN_OF(p, 0)),
				 .end = pfn_to_page(PFN_OF(p, TABLES))};
	trap_set_single_step(count_insn);
	bench_step(search_once, &search);
	trap_set_single_step(NULL);
	mutex_unlock(&bench_lock);
	return search.insns;
}

SELFTEST(records_next_steps, "mm.records-next-steps",
	 "a search steps over tables that are absent beside one that is there without a walk from "
	 "the root for each")
{
	static struct pgmap p;
	uint64_t insns = 0;
	bool none, first;
	int err;

	if (!bench_can_step())
		SKIP(BENCH_NO_STEPS);
	p = fake_pgmap(0, (TABLES + 1) * MIB_OF_TABLE);
	err = memremap_pages(&p);
	EXPECT(!err, "error %d", err);
	/* One behind the range: so the table of tables is there. */
	err = page_records_populate(PFN_OF(&p, TABLES), 1);
	insns = steps(&p);
	none = search.found == search.end;
	err = err ? err : page_records_populate(PFN_OF(&p, TABLES - 1), 1);
	steps(&p);
	first = search.found == pfn_to_page(PFN_OF(&p, TABLES - 1));
	memunmap_pages(&p);
	EXPECT(!err && none && first, "error %d, nothing found %d, the record found %d", err, none,
	       first);
	EXPECT(insns < INSNS_MAX, "%lu instructions to step over %u tables", insns, TABLES);
}

/* A device that has records in every table, and leaves. */
static int come_and_go(struct pgmap *p)
{
	int err = memremap_pages(p);

	if (err)
		return err;
	for (unsigned i = 0; i < TABLES && !err; i++)
		err = page_records_populate(PFN_OF(p, i), 1);
	memunmap_pages(p);
	return err;
}

SELFTEST(records_tables_return, "mm.records-tables-return",
	 "a device that leaves gives the tables of its records back, and the next one there finds "
	 "none to look through")
{
	static struct pgmap p;
	uint64_t tables, insns;
	int err;

	if (!bench_can_step())
		SKIP(BENCH_NO_STEPS);
	p = fake_pgmap(0, TABLES * MIB_OF_TABLE);
	err = come_and_go(&p); /* what is above these tables stays */
	tables = page_table_frames();
	err = err ? err : come_and_go(&p);
	EXPECT(!err, "error %d", err);
	EXPECT(page_table_frames() == tables, "%ld tables lost",
	       (long)(page_table_frames() - tables));
	err = memremap_pages(&p);
	EXPECT(!err, "error %d", err);
	insns = steps(&p);
	memunmap_pages(&p);
	EXPECT(insns < INSNS_MAX, "%lu instructions where an earlier device had records", insns);
}

/* Three devices, of which the one in the middle has a part of both others' tables, and leaves:
 * are the others' records still there? False: not, or no memory. *most: page tables before. */
static bool leave_the_middle(uint64_t *most)
{
	static struct pgmap left, mid, right;
	const struct page *page[2];
	bool there;
	int err;

	left = fake_pgmap(0, MIB_OF_TABLE / 2);
	mid = fake_pgmap(MIB_OF_TABLE / 2, 2 * MIB_OF_TABLE);
	right = fake_pgmap(2 * MIB_OF_TABLE + MIB_OF_TABLE / 2, MIB_OF_TABLE / 2);
	page[0] = pfn_to_page(left.range[0].start);
	page[1] = pfn_to_page(right.range[0].start);
	if (memremap_pages(&left) || memremap_pages(&mid) || memremap_pages(&right))
		return false;
	err = page_records_populate(left.range[0].start, 1) |
	      page_records_populate(right.range[0].start, 1) |
	      page_records_populate(mid.range[0].start, mid.range[0].end - mid.range[0].start);
	*most = page_table_frames();
	memunmap_pages(&mid);
	there = page_record_exists(page[0]) && page_record_exists(page[1]);
	memunmap_pages(&right);
	memunmap_pages(&left);
	return !err && there;
}

SELFTEST(records_tables_shared, "mm.records-tables-shared",
	 "a table that records of several devices are in goes with the last of them")
{
	uint64_t most, tables;
	bool first = leave_the_middle(&most), second; /* what is above these tables stays */

	tables = page_table_frames();
	second = leave_the_middle(&most);

	EXPECT(first && second, "a neighbour's records are there: %d, %d", first, second);
	EXPECT(page_table_frames() == tables && most == tables + 3, "%lu tables, %lu, then %lu",
	       tables, most, page_table_frames());
}
