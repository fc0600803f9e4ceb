/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: the edges of counting on records, asked directly. In a run of the kernel most of them
 * are reached only when another CPU comes in between; here the state is made by hand.
 */
#include "mm/device/internal.h"

static struct pgmap pgmap; /* of the running test; fake memory at rest 0 */

static uint64_t set_state(struct page *p, uint64_t state)
{
	return __atomic_exchange_n(&p->state, state, __ATOMIC_ACQ_REL);
}

/* Does fast gup's quick way take a page in this state? Its state is what it was, or one more. */
static bool takes(struct page *p, uint64_t state, bool one)
{
	uint64_t seen = 0, after;
	bool took;

	set_state(p, state);
	took = one ? page_get_one(p) : page_get_quick(p, &seen);
	after = set_state(p, 0);
	ASSERT(after == state + (took ? PAGE_REF : 0), "state 0x%lx became 0x%lx", state, after);
	return took && (one || seen == after); /* what it became is shown to the caller */
}

SELFTEST(
	mm_quick_refuses, "mm.get-quick-refuses",
	"the quick ways to a reference take a page that is held or mapped, and none that rests, is "
	"busy, or counts for a folio")
{
	static const struct {
		uint64_t state;
		bool taken;
	} rows[] = {
		{0, false},
		{PAGE_REF, true},
		{PAGE_MAP, true},
		{PAGE_REF_LIMIT - 2, true},
		{PAGE_FOLIO, false},
		{PAGE_FOLIO | PAGE_REF, false},
		{PAGE_BUSY, false},
		{PAGE_BUSY | PAGE_MAP, false},
		{PAGE_BUSY | PAGE_FOLIO | PAGE_REF, false},
	};
	unsigned wrong = 0, at = 0;
	struct page *p;
	int err = fake_bound(&pgmap, 0, NULL, &p);

	EXPECT(!err, "error %d", err);
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++)
		if (takes(p, rows[i / 2].state, i & 1) != rows[i / 2].taken) {
			wrong++;
			at = i;
		}
	memunmap_pages(&pgmap);
	EXPECT(!wrong, "%u wrong, the last one with state 0x%lx", wrong, rows[at / 2].state);
}

SELFTEST(
	mm_get_folio_asks, "mm.get-folio-asks",
	"a reference that is meant for a folio's head is not taken of a single page, nor of a busy "
	"or resting folio")
{
	static const uint64_t refused[] = {PAGE_REF, PAGE_MAP, PAGE_FOLIO,
					   PAGE_FOLIO | PAGE_BUSY | PAGE_REF};
	unsigned taken = 0;
	uint64_t left;
	struct page *p;
	bool folio;
	int err = fake_bound(&pgmap, 0, NULL, &p);

	EXPECT(!err, "error %d", err);
	for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
		set_state(p, refused[i]);
		taken += page_get_folio(p, 3) || page_state(p) != refused[i];
	}
	set_state(p, PAGE_FOLIO | PAGE_MAP);
	folio = page_get_folio(p, 3);
	left = set_state(p, 0);
	memunmap_pages(&pgmap);
	EXPECT(!taken && folio && left == (PAGE_FOLIO | PAGE_MAP | 3 * PAGE_REF),
	       "%u taken that must not be; the folio's: %d, state 0x%lx", taken, folio, left);
}

SELFTEST(mm_map_counted_single, "mm.map-counted-single",
	 "a mapping of a page that was a folio's a moment ago counts on the page's own record, by "
	 "either way")
{
	struct page *p, *counted, *by_head;
	uint32_t maps[2];
	int err = fake_bound(&pgmap, 0, NULL, &p);

	EXPECT(!err, "error %d", err);
	counted = page_map_get_counted(p + 1);
	maps[0] = page_maps(p + 1);
	by_head = page_map_get_head(p + 1);
	maps[1] = page_maps(p + 1);
	for (uint32_t i = maps[1]; i; i--)
		page_map_put(p + 1);
	memunmap_pages(&pgmap);
	EXPECT(counted == p + 1 && by_head == p + 1, "counted %ld and %ld records away",
	       (long)(counted - p - 1), (long)(by_head - p - 1));
	EXPECT(maps[0] == 1 && maps[1] == 2, "%u mappings, then %u", maps[0], maps[1]);
}

SELFTEST(mm_populate_neighbour, "mm.populate-neighbour",
	 "records of a range that begins where another one of the same pgmap ends are made")
{
	struct pgmap p = fake_pgmap(0, 2);
	int first, second, across, err;

	p.nr_range = 2;
	p.range[1] = (struct pgmap_range){p.range[0].end, p.range[0].end + 512};
	err = memremap_pages(&p);
	EXPECT(!err, "error %d: %s", err, refusal());
	first = page_records_populate(p.range[0].end - 1, 1);
	second = page_records_populate(p.range[1].start, 1);
	across = page_records_populate(p.range[0].end - 1, 2);
	memunmap_pages(&p);
	EXPECT(!first && !second && across == -ENXIO, "%d, %d, across both %d", first, second,
	       across);
}

SELFTEST(mm_populate_head, "mm.populate-head",
	 "with the record of a page comes the one at the start of its 2 MiB, which decides whether "
	 "it is a folio's")
{
	struct pgmap p = fake_pgmap(0, 2);
	const uint64_t first = p.range[0].start;
	bool head, between, page;
	int err = memremap_pages(&p);

	EXPECT(!err, "error %d: %s", err, refusal());
	err = page_records_populate(first + 300, 1);
	head = page_record_exists(pfn_to_page(first));
	between = page_record_exists(pfn_to_page(first + RECORDS_PER_FRAME));
	page = page_record_exists(pfn_to_page(first + 300));
	memunmap_pages(&p);
	EXPECT(!err && head && !between && page, "error %d; exist: head %d, between %d, page %d",
	       err, head, between, page);
}

/* Far from where other tests bind, so that the first run of it finds no table of records either:
 * tables stay when the device leaves, frames go. */
SELFTEST(mm_populate_no_memory, "mm.populate-no-memory",
	 "whichever allocation fails while a record is made, a table's or a frame's: -ENOMEM")
{
	struct pgmap p = fake_pgmap(15 * 1024, 2);
	unsigned wrong = 0, nth = 0;
	bool failed = true;
	int err = memremap_pages(&p);

	EXPECT(!err, "error %d: %s", err, refusal());
	while (failed && nth < 16) {
		alloc_fail_nth(++nth);
		err = page_records_populate(p.range[0].start + 1, 1);
		alloc_fail_count(&failed);
		alloc_fail_nth(0);
		wrong += err != (failed ? -ENOMEM : 0);
	}
	memunmap_pages(&p);
	EXPECT(!wrong && nth > 1 && !failed, "%u wrong of %u, the last one's error is %d", wrong,
	       nth, err);
}

/* ---- many at once ---------------------------------------------------------------------------- */

#define MANY 40u /* more than two of the steps in which they are put */

static unsigned idle, idle_open; /* told of; with interrupts on */

static void note_idle(struct page *p)
{
	(void)p;
	idle++;
	idle_open += irqs_enabled();
}
static const struct pgmap_ops idle_ops = {.page_idle = note_idle};

/* What page i of MANY is held by: two stand out, in the second step and behind the last whole one.
 */
static uint32_t held(unsigned i)
{
	return i == 20 || i == 37 ? 2 : 1;
}

/* The second references of the two, and what a wrong count of the device lacks: else the unbinding
 * waits for ever. */
static void end_many(struct page *p, int64_t sum)
{
	for (; sum < 3; sum++)
		percpu_ref_get(&pgmap.ref);
	for (unsigned i = 0; i < MANY; i++)
		if (page_refs(p + i))
			page_put(p + i, 1);
	memunmap_pages(&pgmap);
}

SELFTEST(mm_put_range_mixed, "mm.put-range-mixed",
	 "of many neighbours put at once those that come to rest are told of, with interrupts off, "
	 "and no others")
{
	unsigned taken = 0, left = 0, told, alone;
	struct page *p;
	int64_t sum;
	int err = fake_bound(&pgmap, 0, &idle_ops, &p);

	EXPECT(!err && !page_records_populate(pgmap.range[0].start, MANY), "error %d", err);
	idle = idle_open = 0;
	pgmap_listen(&pgmap);
	for (unsigned i = 0; i < MANY; i++)
		taken += page_get_first(p + i, held(i));
	page_put_range(p, MANY);
	told = idle;
	for (unsigned i = 0; i < MANY; i++)
		left += page_refs(p + i);
	sum = percpu_ref_sum(&pgmap.ref);
	page_get_first(p, 1);
	page_put(p, 1); /* one by itself */
	alone = idle - told;
	end_many(p, sum);
	EXPECT(taken == MANY && left == 2 && sum == 3,
	       "%u taken, %u references left, %ld of the device", taken, left, (long)sum);
	EXPECT(told == MANY - 2 && alone == 1 && !idle_open,
	       "told of %u, and %u, with interrupts on of %u", told, alone, idle_open);
}

SELFTEST(mm_put_deaf_last, "mm.put-deaf-last",
	 "the last put gives the device's reference back, also by a way that tells nobody, and one "
	 "before it does not")
{
	static const struct pgmap_ops ops = {.page_idle = note_idle, .deaf = PUT_BY_BIO};
	struct page *p, *twice[2];
	int64_t held, sum;
	int err = fake_bound(&pgmap, 0, &ops, &p);

	EXPECT(!err, "error %d", err);
	idle = 0;
	pgmap_listen(&pgmap);
	page_get_first(p, 2);
	twice[0] = twice[1] = p;
	page_put_each_by(twice, 1, PUT_BY_BIO);
	held = percpu_ref_sum(&pgmap.ref);
	page_put_each_by(twice, 1, PUT_BY_BIO);
	sum = percpu_ref_sum(&pgmap.ref);
	if (sum > 1) /* else the unbinding waits for ever */
		percpu_ref_put(&pgmap.ref);
	memunmap_pages(&pgmap);
	EXPECT(held == 2 && sum == 1 && !idle, "%ld references of the device, %ld at last; told %u",
	       (long)held, (long)sum, idle);
}
