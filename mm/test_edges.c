/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: the edges of counting on records, asked directly. In a run of the kernel most of them
 * are reached only when another CPU comes in between; here the state is made by hand.
 */
#include "mm/test_memremap.h"

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
	return took;
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
	 "a mapping of a page that was a folio's a moment ago counts on the page's own record")
{
	struct page *p, *counted;
	uint32_t maps;
	int err = fake_bound(&pgmap, 0, NULL, &p);

	EXPECT(!err, "error %d", err);
	counted = page_map_get_counted(p + 1);
	maps = page_maps(p + 1);
	page_map_put(p + 1);
	memunmap_pages(&pgmap);
	EXPECT(counted == p + 1 && maps == 1, "counted %ld records away, %u mappings",
	       (long)(counted - p), maps);
}

SELFTEST(mm_populate_neighbour, "mm.populate-neighbour",
	 "records of a range that begins where another one of the same pgmap ends are made")
{
	struct pgmap p = fake_pgmap(0, 2);
	int first, second, across, err;

	p.nr_range = 2;
	p.range[1] = (struct pgmap_range){p.range[0].end, p.range[0].end + 512};
	err = memremap_pages(&p, NULL);
	EXPECT(!err, "error %d: %s", err, p.refusal);
	first = page_records_populate(p.range[0].end - 1, 1);
	second = page_records_populate(p.range[1].start, 1);
	across = page_records_populate(p.range[0].end - 1, 2);
	memunmap_pages(&p);
	EXPECT(!first && !second && across == -ENXIO, "%d, %d, across both %d", first, second,
	       across);
}
