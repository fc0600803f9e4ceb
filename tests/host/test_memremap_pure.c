/* SPDX-License-Identifier: MIT */
/* What memremap computes without a machine: the table of ranges, the altmap, where records stand.
 */
/* LINK: mm/device/ranges.c mm/device/altmap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/mm.h"
#include "mm/device/internal.h"
#include "mm/mm.h"

static uint64_t seed = 20261121;

static uint64_t rnd(uint64_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 24) % below;
}

/* ---- the table of ranges against an array with one owner per number ---- */

#define SPACE 4096u

static struct range_table table, copy;
static char owners[8]; /* owner n is &owners[n]; 0 is nobody */
static unsigned char model[SPACE];

static bool model_free(uint64_t start, uint64_t end)
{
	for (uint64_t i = start; i < end; i++)
		if (model[i])
			return false;
	return true;
}

static void check_point(uint64_t at)
{
	const struct range_entry *e = range_find(&table, at, at + 1);

	assert_ptr_equal(e ? e->owner : NULL, model[at] ? &owners[model[at]] : NULL);
}

static void check_span(uint64_t start, uint64_t end)
{
	const struct range_entry *e = range_find(&table, start, end);

	assert_int_equal(e == NULL, model_free(start, end));
	if (e) /* the first: nothing before it in the span */
		assert_true(e->start <= start || model_free(start, e->start));
}

static void check_bits(uint64_t start, uint64_t unit)
{
	uint64_t want = 0;

	for (unsigned i = 0; i < 64 && start + (i + 1) * unit <= SPACE; i++)
		if (!model_free(start + i * unit, start + (i + 1) * unit))
			want |= 1ull << i;
	assert_int_equal(range_bits(&table, start, unit), want);
}

static void random_insert(void)
{
	uint64_t start = rnd(SPACE - 64), end = start + rnd(64);
	unsigned who = 1 + rnd(7);
	bool fits = start < end && model_free(start, end) && table.nr < RANGES_MAX;

	assert_int_equal(range_insert(&table, start, end, &owners[who]), fits);
	if (fits)
		memset(model + start, (int)who, end - start);
}

static void random_remove(void)
{
	unsigned who = 1 + rnd(7), before = table.nr, gone = range_remove(&table, &owners[who]);

	assert_int_equal(table.nr, before - gone);
	for (unsigned i = 0; i < SPACE; i++)
		if (model[i] == who)
			model[i] = 0;
}

static void table_agrees_with_a_simple_model(void **state)
{
	(void)state;
	for (unsigned op = 0; op < 40000; op++) {
		if (rnd(60))
			random_insert();
		else
			random_remove();
		check_point(rnd(SPACE));
		check_span(op % 1000, op % 1000 + 1 + rnd(200));
		if (op % 50 == 0)
			check_bits(64 * rnd(8), 1 + rnd(48));
		for (unsigned i = 1; i < table.nr && op % 100 == 0; i++)
			assert_true(table.r[i - 1].end <= table.r[i].start);
	}
	range_copy(&copy, &table);
	assert_int_equal(copy.nr, table.nr);
	assert_memory_equal(copy.r, table.r, table.nr * sizeof(table.r[0]));
}

static void table_says_when_it_is_full(void **state)
{
	struct range_table *t = calloc(1, sizeof(*t));

	(void)state;
	for (uint64_t i = 0; i < RANGES_MAX; i++)
		assert_true(range_insert(t, 10 * i, 10 * i + 5, &owners[1]));
	assert_false(range_insert(t, 10 * RANGES_MAX, 10 * RANGES_MAX + 5, &owners[1]));
	assert_int_equal(range_remove(t, &owners[1]), RANGES_MAX);
	assert_int_equal(t->nr, 0);
	assert_null(range_find(t, 0, UINT64_MAX));
	free(t);
}

static void numbers_at_the_very_end_are_ranges_too(void **state)
{
	struct range_table *t = calloc(1, sizeof(*t));

	(void)state;
	assert_true(range_insert(t, UINT64_MAX - 1, UINT64_MAX, &owners[1]));
	assert_false(range_insert(t, 0, UINT64_MAX, &owners[2]));
	assert_false(range_insert(t, 5, 5, &owners[2]));
	assert_false(range_insert(t, 6, 5, &owners[2]));
	assert_true(range_insert(t, 0, UINT64_MAX - 1, &owners[2]));
	free(t);
}

/* ---- altmap against a map of its pages ---- */

static void altmap_hands_out_each_page_once(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 500; round++) {
		struct altmap a = {
			.base_pfn = 512 * (1 + rnd(1000)), .reserve = rnd(40), .free = rnd(300)};
		unsigned char taken[512] = {0};
		uint64_t out = 0, pfn, nr;

		for (unsigned i = 0; i < 200; i++) {
			nr = 1ull << rnd(6);
			pfn = altmap_alloc(&a, nr);
			if (!pfn)
				continue;
			assert_int_equal(pfn & (nr - 1), 0);
			assert_true(pfn >= a.base_pfn + a.reserve);
			assert_true(pfn + nr <= altmap_first_pfn(&a));
			for (uint64_t k = 0; k < nr; k++)
				assert_int_equal(taken[pfn - a.base_pfn + k]++, 0);
			out += nr;
			assert_int_equal(a.alloc, out);
			assert_true(a.alloc + a.align <= a.free);
		}
		/* Single pages fill what is left, to the last one. */
		while (altmap_alloc(&a, 1))
			out++;
		assert_int_equal(a.alloc + a.align, a.free);
		while (out) {
			nr = 1 + rnd(out);
			altmap_free(&a, nr);
			out -= nr;
		}
		assert_int_equal(a.alloc, 0);
		assert_int_equal(a.align, 0);
	}
}

static void altmap_refuses_what_is_no_power_of_two_or_too_much(void **state)
{
	struct altmap a = {.base_pfn = 512, .reserve = 1, .free = 8};

	(void)state;
	assert_int_equal(altmap_alloc(&a, 0), 0);
	assert_int_equal(altmap_alloc(&a, 3), 0);
	assert_int_equal(altmap_alloc(&a, 16), 0);
	assert_int_equal(altmap_alloc(&a, 1ull << 63), 0);
	assert_int_equal(altmap_alloc(&a, 8), 0); /* aligned it would end one page too late */
	assert_int_equal(a.alloc + a.align, 0);
	assert_int_equal(altmap_alloc(&a, 4), 516);
	assert_int_equal(a.align, 3);
}

static void altmap_can_be_used_again_when_all_is_back(void **state)
{
	struct altmap a = {.base_pfn = 512, .reserve = 3, .free = 100};
	uint64_t first = altmap_alloc(&a, 64);

	(void)state;
	altmap_free(&a, 64);
	assert_int_equal(altmap_alloc(&a, 64), first);
}

/* ---- where records stand ---- */

#define PFNS (1ull << 34) /* of 46 physical address bits */

static void plain_records_lie_in_their_window(void **state)
{
	(void)state;
	assert_int_equal(pfn_to_record_va(RECORD_BASE, 0, 0), RECORD_BASE);
	assert_int_equal(pfn_to_record_va(RECORD_BASE, 0, PFNS - 1), COMPOUND_BASE - RECORD_SIZE);
	assert_int_equal(record_shift(RECORD_BASE), SHIFT_4K);
	assert_int_equal(record_shift(COMPOUND_BASE - 1), SHIFT_4K);
}

static void compound_records_know_their_pfn_and_slot(void **state)
{
	(void)state;
	for (unsigned slot = 0; slot < COMPOUND_SLOTS; slot++) {
		unsigned shift = record_slot_shift(slot);
		uint64_t base = record_slot_base(slot);

		assert_true(base >= COMPOUND_BASE && base + COMPOUND_SLOT_SIZE <= COMPOUND_END);
		for (unsigned i = 0; i < 200; i++) {
			uint64_t pfn = i ? rnd(PFNS) : PFNS - 1,
				 va = pfn_to_record_va(base, shift, pfn);

			assert_true(va >= base && va + RECORD_SIZE <= base + COMPOUND_SLOT_SIZE);
			assert_int_equal(record_shift(va), shift);
			assert_int_equal(compound_to_pfn(va), pfn >> shift << shift);
		}
	}
}

static void frames_for_records_are_counted_by_hand(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		static const unsigned shifts[] = {SHIFT_4K, SHIFT_2M, SHIFT_1G};
		unsigned shift = shifts[rnd(3)];
		uint64_t pfn = rnd(PFNS / 2), nr = 1 + rnd(20000), frames = 0, last = 0;

		for (uint64_t p = pfn; p < pfn + nr; p++) {
			uint64_t frame = pfn_to_record_va(RECORD_BASE, shift, p) >> 12;

			frames += frame != last;
			last = frame;
		}
		assert_int_equal(record_frames_for(RECORD_BASE, shift, pfn, nr), frames);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_agrees_with_a_simple_model),
		cmocka_unit_test(table_says_when_it_is_full),
		cmocka_unit_test(numbers_at_the_very_end_are_ranges_too),
		cmocka_unit_test(altmap_hands_out_each_page_once),
		cmocka_unit_test(altmap_refuses_what_is_no_power_of_two_or_too_much),
		cmocka_unit_test(altmap_can_be_used_again_when_all_is_back),
		cmocka_unit_test(plain_records_lie_in_their_window),
		cmocka_unit_test(compound_records_know_their_pfn_and_slot),
		cmocka_unit_test(frames_for_records_are_counted_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
