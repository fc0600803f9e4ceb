/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: page records that lie on the device itself (mm.memremap-altmap*). The device's own
 * bytes matter here, so it is the scratch device, unbound for the while and bound again afterwards.
 */
#include "mm/device/internal.h"
#include "tests/kernel/lib/scratch.h"

#define MARK 0x5a5a5a5a5a5a5a5aull

/* The first 64 MiB of the scratch device with an altmap: 2 MiB are taken, 15872 pages have records.
 */
static struct pgmap with_altmap(const struct pgmap *device, unsigned shift)
{
	struct pgmap p = *device;

	p.type = shift ? PGMAP_GENERIC : PGMAP_FS_DAX;
	p.name = "altmap";
	p.vmemmap_shift = shift;
	p.rest = 1;
	p.ops = NULL;
	p.range[0].end = p.range[0].start + (64 * MIB >> PAGE_SHIFT);
	p.flags = PGMAP_ALTMAP_VALID;
	p.altmap = (struct altmap){.base_pfn = p.range[0].start, .reserve = 388, .free = 124};
	return p;
}

static void mark(const struct pgmap *p)
{
	uint64_t *word = phys_to_virt(p->range[0].start << PAGE_SHIFT);
	uint64_t n = (p->altmap.reserve + p->altmap.free) * PAGE_SIZE / 8;

	for (uint64_t i = 0; i < n; i++)
		word[i] = MARK;
}

/* Words of the first `bytes` that are not the mark any more. */
static unsigned changed(const struct pgmap *p, uint64_t from, uint64_t bytes)
{
	uint64_t *word = phys_to_virt((p->range[0].start << PAGE_SHIFT) + from);
	unsigned n = 0;

	for (uint64_t i = 0; i < bytes / 8; i++)
		n += word[i] != MARK;
	return n;
}

struct altmap_result {
	int err;
	uint64_t ram, alloc, left; /* frames of RAM; altmap pages during and after */
	unsigned reserve_changed, before_changed, outside;
	int before_first;
	bool first_ok, found_before;
	unsigned filled; /* the step point before a frame is filled; zero: not passed */
	bool found_unfilled;
};

/* Is there a record already, while its frame is to be filled? */
static struct early {
	const struct page *page;
	bool found;
} early;

static void look_early(void *unused)
{
	(void)unused;
	early.found = page_record_exists(early.page);
}

/* Populates the first record alone. */
static void run_early(const struct pgmap *p, uint64_t first, struct altmap_result *r)
{
	early = (struct early){.page = pgmap_pfn_to_page(p, first)};
	preempt_disable();
	r->err = step_arm("records_unfilled", look_early, NULL);
	if (!r->err)
		r->err = page_records_populate(first, 1);
	r->filled = step_disarm();
	preempt_enable();
	r->found_unfilled = early.found;
}

static struct altmap_result run_altmap(struct pgmap *p)
{
	struct altmap_result r = {0};
	uint64_t records = record_frames, first = altmap_first_pfn(&p->altmap);

	r.err = memremap_pages(p);
	if (r.err)
		return r;
	mark(p);
	run_early(p, first, &r);
	if (!r.err)
		r.err = page_records_populate(first, p->range[0].end - first);
	r.ram = record_frames - records;
	r.alloc = p->altmap.alloc;
	r.reserve_changed = changed(p, 0, p->altmap.reserve * PAGE_SIZE);
	/* What stands before the first record in its frame: one compound's, and no 4 KiB page's. */
	r.before_changed = changed(p, p->altmap.reserve * PAGE_SIZE,
				   (uint64_t)pgmap_pfn_to_page(p, first) & (PAGE_SIZE - 1));
	r.before_first = page_records_populate(first - 1, 1);
	r.found_before = pgmap_pfn_to_record(p, first - 1) != NULL;
	r.outside = pgmap_pfn_valid(p, first - 1) + !pgmap_pfn_valid(p, first) +
		    !pgmap_pfn_valid(p, p->range[0].end - 1) + pgmap_pfn_valid(p, p->range[0].end) +
		    !pfn_valid(first - 1);
	r.first_ok = pgmap_pfn_to_record(p, first) && page_refs(pgmap_pfn_to_page(p, first)) == 1;
	memunmap_pages(p);
	r.left = p->altmap.alloc;
	return r;
}

static void check_altmap_result(struct selftest_run *t, const struct altmap_result *r,
				uint64_t alloc)
{
	EXPECT(!r->err && r->first_ok, "error %d, first record %d", r->err, r->first_ok);
	EXPECT(r->filled == 1 && !r->found_unfilled,
	       "before its frame was filled (seen %u times) a record was found: %d", r->filled,
	       r->found_unfilled);
	EXPECT(r->ram == 0 && r->alloc == alloc,
	       "%lu frames of RAM, %lu pages of the altmap, not %lu", r->ram, r->alloc, alloc);
	EXPECT(!r->reserve_changed, "%u words of the driver's own pages changed",
	       r->reserve_changed);
	EXPECT(!r->before_changed, "%u words of records before the first were written",
	       r->before_changed);
	EXPECT(r->before_first == -ENXIO && !r->found_before && !r->outside,
	       "before the first: populate %d, found %d; %u look-ups wrong", r->before_first,
	       r->found_before, r->outside);
	EXPECT(r->left == 0, "%lu pages not given back", r->left);
}

static void altmap_case(struct selftest_run *t, unsigned shift, uint64_t alloc)
{
	const char *why = "";
	struct pmem_region *r = scratch_region(&why);
	static struct pgmap p;
	struct altmap_result result;
	int back;

	if (!r)
		SKIP("%s", why);
	if (r->len < 64 * MIB)
		SKIP("%s has less than 64 MiB", r->name);
	pmem_unbind(r);
	p = with_altmap(&r->pgmap, shift);
	result = run_altmap(&p);
	back = pmem_bind(r);
	EXPECT(!back, "%s cannot be bound again: %s", r->name, refusal());
	check_altmap_result(t, &result, alloc);
}

SELFTEST(mm_altmap_4k, "mm.memremap-altmap",
	 "records on the device: no RAM, the driver's pages and what lies before the first record "
	 "are not written, and all pages come back")
{
	altmap_case(t, SHIFT_4K, 124);
}

SELFTEST(mm_altmap_2m, "mm.memremap-altmap-compound", "compound records can lie on the device too")
{
	altmap_case(t, SHIFT_2M, 1);
}
