/* SPDX-License-Identifier: MIT */
/* Self-tests: page records in RAM and of compounds (mm.memremap-*, mm.*). */
#include "mm/device/internal.h"

SELFTEST(mm_bind_cost_flat, "mm.bind-populates-nothing",
	 "binding makes no page record; touching one page makes one frame of them")
{
	struct pgmap p = fake_pgmap(0, 1024);
	uint64_t records = record_frames, bound, touched;
	int err = memremap_pages(&p);

	EXPECT(!err, "error %d", err);
	bound = record_frames - records;
	err = page_records_populate(p.range[0].start + 5120, 1);
	touched = record_frames - records;
	memunmap_pages(&p);
	EXPECT(!err && bound == 0 && touched == 1,
	       "error %d, %lu frames at bind, %lu after a touch", err, bound, touched);
}

SELFTEST(mm_record_at_rest, "mm.record-at-rest",
	 "a fresh record rests, knows its pgmap and no file")
{
	struct pgmap p = fake_pgmap(0, 2);
	struct page copy = {0};
	bool untouched;
	int err = memremap_pages(&p);

	EXPECT(!err, "error %d", err);
	untouched = !pgmap_pfn_to_record(&p, p.range[0].start);
	err = page_records_populate(p.range[0].start, 1);
	if (!err)
		copy = *pfn_to_page(p.range[0].start);
	memunmap_pages(&p);
	EXPECT(untouched, "a record exists before it was populated");
	EXPECT(!err && copy.state == 1 && copy.pgmap == &p && !copy.mapping,
	       "error %d, state 0x%lx, mapping %p", err, copy.state, (void *)copy.mapping);
}

SELFTEST(mm_populate_outside, "mm.populate-outside",
	 "records are refused beyond a pgmap's range, at either end")
{
	struct pgmap p = fake_pgmap(2, 2);
	uint64_t start = p.range[0].start, end = p.range[0].end;
	int before, across, behind, err = memremap_pages(&p);

	EXPECT(!err, "error %d", err);
	before = page_records_populate(start - 1, 1);
	across = page_records_populate(end - 1, 2);
	behind = page_records_populate(end, 1);
	memunmap_pages(&p);
	EXPECT(before == -ENXIO && across == -ENXIO && behind == -ENXIO, "%d, %d, %d", before,
	       across, behind);
}

SELFTEST(mm_record_of_its_range, "mm.record-of-its-range",
	 "a frame holds records that are nobody's: none beside the range is found, though it is "
	 "made")
{
	struct pgmap p = fake_pgmap(0, 2);
	uint64_t end = p.range[0].end;
	bool last, made, behind, before;
	int err;

	p.type = PGMAP_GENERIC;
	p.vmemmap_shift = SHIFT_2M; /* one record, and 127 beside it in its frame */
	err = memremap_pages(&p);
	EXPECT(!err, "error %d", err);
	err = page_records_populate(p.range[0].start, 1);
	last = pgmap_pfn_to_record(&p, end - 1) != NULL;
	made = page_record_exists(pgmap_pfn_to_page(&p, end));
	behind = pgmap_pfn_to_record(&p, end) != NULL;
	before = pgmap_pfn_to_record(&p, p.range[0].start - 1) != NULL;
	memunmap_pages(&p);
	EXPECT(!err && last && made, "error %d, record of the last page %d, made beside it %d", err,
	       last, made);
	EXPECT(!behind && !before, "a record is found behind the range: %d, before it: %d", behind,
	       before);
}

SELFTEST(mm_record_look_makes_nothing, "mm.record-look-makes-nothing",
	 "a look for a record that was never made finds none and makes no table on its way")
{
	struct pgmap p = fake_pgmap(0, 4096);
	uint64_t tables, after;
	unsigned seen = 0;
	int err = memremap_pages(&p);

	EXPECT(!err, "error %d", err);
	tables = page_table_frames();
	for (uint64_t pfn = p.range[0].start; pfn < p.range[0].end; pfn += SECTION_PAGES)
		seen += pgmap_pfn_to_record(&p, pfn) != NULL;
	after = page_table_frames();
	memunmap_pages(&p);
	EXPECT(!seen && after == tables, "%u records, %ld tables were made", seen,
	       (long)(after - tables));
}

/* ---- compounds ------------------------------------------------------------------------------- */

static int count_records(struct page *p, void *arg)
{
	(void)p;
	*(unsigned *)arg += 1;
	return 0;
}

static void compound_case(struct selftest_run *t, unsigned shift, uint64_t want_frames)
{
	struct pgmap p = fake_compound(0, 2048, shift);
	uint64_t size = 1ull << shift, start = p.range[0].start, records = record_frames,
		 frames = 0;
	unsigned bad = 0, n = 0, wrong_head = 0;
	int err = memremap_pages(&p);

	EXPECT(!err, "error %d", err);
	err = page_records_populate(start, GIB >> PAGE_SHIFT);
	frames = record_frames - records;
	for (uint64_t pfn = start; pfn < start + (GIB >> PAGE_SHIFT) && !err; pfn += size) {
		struct page *head = pgmap_pfn_to_record(&p, pfn);

		bad += !head || head != pgmap_pfn_to_record(&p, pfn + size - 1) ||
		       head + 1 != pgmap_pfn_to_page(&p, pfn + size) || page_state(head) != 1;
		wrong_head += head && page_to_pfn(head) != pfn;
	}
	page_records_for_each(start, GIB >> PAGE_SHIFT, count_records, &n);
	memunmap_pages(&p);
	EXPECT(!err && !bad && !wrong_head, "error %d, %u records wrong, %u name another head", err,
	       bad, wrong_head);
	EXPECT(n == (GIB >> PAGE_SHIFT >> shift) && frames == want_frames,
	       "%u records in %lu frames for one GiB, expected %lu frames", n, frames, want_frames);
	EXPECT(record_frames == records, "%ld record frames lost", (long)(record_frames - records));
}

SELFTEST(mm_compound_2m, "mm.memremap-compound-2m",
	 "2 MiB compounds: one record each and no tails, 16 KiB of records per GiB")
{
	compound_case(t, SHIFT_2M, 4);
}

SELFTEST(mm_compound_1g, "mm.memremap-compound-1g",
	 "1 GiB compounds: one record each and no tails, one frame of records")
{
	compound_case(t, SHIFT_1G, 1);
}

SELFTEST(mm_compound_windows, "mm.memremap-compound-neighbours",
	 "two devices with compounds side by side share no frame of records")
{
	struct pgmap a = fake_compound(0, 2, SHIFT_2M), b = fake_compound(2, 2, SHIFT_2M);
	uint64_t state_b = 0, records = record_frames;
	bool apart;
	int err = memremap_pages(&a) | memremap_pages(&b);

	EXPECT(!err, "error %d", err);
	err = page_records_populate(a.range[0].start, 512) |
	      page_records_populate(b.range[0].start, 512);
	apart = record_frames - records == 2;
	memunmap_pages(&a);
	if (!err)
		state_b = page_state(pgmap_pfn_to_page(&b, b.range[0].start));
	memunmap_pages(&b);
	EXPECT(!err && apart && state_b == 1, "error %d, apart %d, state 0x%lx", err, apart,
	       state_b);
}

SELFTEST(mm_memremap_rebind, "mm.memremap-rebind",
	 "rebinding from compound GENERIC to FS_DAX and back leaves no stale record")
{
	static struct pgmap p;
	uint64_t start = fake_pgmap(0, 64).range[0].start, records = record_frames;
	unsigned stale = 0, wrong = 0;
	int err = 0;

	for (unsigned round = 0; round < 6 && !err; round++) {
		struct page *page;

		p = round & 1 ? fake_pgmap(0, 64) : fake_compound(0, 64, SHIFT_2M);
		p.rest = round % 3 == 0;
		err = memremap_pages(&p);
		if (err)
			break;
		for (uint64_t pfn = start; pfn < p.range[0].end; pfn += 64)
			stale += pgmap_pfn_to_record(&p, pfn) != NULL;
		err = page_records_populate(start, 1024);
		page = pgmap_pfn_to_record(&p, start + 512);
		wrong += !page || page->pgmap != &p || page_state(page) != p.rest ||
			 page_to_pfn(page) != start + 512 || page->mapping || page->index;
		if (page) {
			page->index = 99; /* what must not be seen again */
			page->mapping = (struct mapping *)page;
		}
		memunmap_pages(&p);
	}
	EXPECT(!err && !stale && !wrong, "error %d, %u stale records, %u wrong ones", err, stale,
	       wrong);
	EXPECT(record_frames == records, "%ld record frames lost", (long)(record_frames - records));
}

/* ---- several CPUs ---------------------------------------------------------------------------- */

static struct populate_race {
	uint64_t pfn;
	unsigned arrived, errors;
} race;

/* Both threads leave together, or nearly: then they build the same frame at the same time. */
static void meet(unsigned round)
{
	unsigned looks = 0;

	__atomic_fetch_add(&race.arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&race.arrived, __ATOMIC_ACQUIRE) < 2 * (round + 1))
		gang_look(&looks);
}

static void populate_thread(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 500; i++) {
		meet(i);
		if (page_records_populate(race.pfn + i * RECORDS_PER_FRAME, 1))
			__atomic_fetch_add(&race.errors, 1, __ATOMIC_RELAXED);
	}
}

/* Frames of records made; ~0: could not run. */
static uint64_t populate_from_two_cpus(struct pgmap *p)
{
	uint64_t records = record_frames, made = ~0ull;
	struct gang g;

	*p = fake_pgmap(0, 1024);
	if (memremap_pages(p))
		return made;
	race = (struct populate_race){.pfn = p->range[0].start};
	if (gang_start(&g, 2, populate_thread, NULL, true)) {
		gang_join(&g);
		made = record_frames - records;
	}
	memunmap_pages(p);
	return made;
}

SELFTEST(mm_populate_race, "mm.memremap-populate-race",
	 "two CPUs that populate the same records at once make one frame for each, and lose none")
{
	static struct pgmap p;
	uint64_t made = 0, before = frames_kept();
	unsigned errors = 0;

	for (unsigned round = 0; round < 4; round++) {
		made = populate_from_two_cpus(&p);
		errors += race.errors;
	}
	EXPECT(!errors && made == 500, "%u errors, %lu frames for 500", errors, made);
	EXPECT(frames_kept() == before, "%ld frames lost", (long)(before - frames_kept()));
}

/* Between the look for an entry and its making, so this one is the first. */
static void populate_first(void *pfn)
{
	if (page_records_populate(*(uint64_t *)pfn, 1))
		race.errors++;
}

SELFTEST(mm_populate_loser, "mm.memremap-populate-loser",
	 "who filled a frame of records, and finds that another's stands there, gives its own back")
{
	static struct pgmap p;
	uint64_t pfn, made = 0, before = frames_kept(), records = record_frames;
	unsigned passed = 0;
	int err;

	p = fake_pgmap(0, 64);
	EXPECT(!memremap_pages(&p), "%s", refusal());
	pfn = p.range[0].start;
	race.errors = 0;
	preempt_disable();
	err = step_arm("records_unfilled", populate_first, &pfn);
	if (!err)
		err = page_records_populate(pfn, 1);
	passed = step_disarm();
	preempt_enable();
	made = record_frames - records;
	memunmap_pages(&p);
	EXPECT(!err && !race.errors && passed == 1 && made == 1,
	       "error %d, another's %u, passed %u time(s), %lu frames of records for one", err,
	       race.errors, passed, made);
	EXPECT(frames_kept() == before, "%ld frames lost", (long)(before - frames_kept()));
}
