/* SPDX-License-Identifier: MIT */
/* The index of a DAX file against an array that does the same, and with memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The nodes come from here. The allocation after `allowed` others fails, and all later ones. */
static unsigned allowed = UINT32_MAX;

static void *counted_calloc(size_t n, size_t size)
{
	if (!allowed)
		return NULL;
	allowed--;
	return calloc(n, size);
}
#define calloc counted_calloc
#include "dax/file/index.c"
#undef calloc

static void empty_index_has_nothing(void **state)
{
	struct index ix = {0};
	uint64_t at = 0;

	(void)state;
	assert_int_equal(index_load(&ix, 0), 0);
	assert_int_equal(index_next(&ix, &at, UINT64_MAX), 0);
	assert_true(index_store(&ix, 77, 0));
	assert_null(ix.root);
}

static void stores_loads_and_frees_every_node(void **state)
{
	struct index ix = {0};

	(void)state;
	for (uint64_t i = 0; i < 64; i++)
		assert_true(index_store(&ix, 1ull << i, i + 1));
	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(index_load(&ix, 1ull << i), i + 1);
	assert_int_equal(ix.nr, 64);
	for (uint64_t i = 0; i < 64; i++)
		assert_true(index_store(&ix, 1ull << i, 0));
	assert_null(ix.root); /* and LeakSanitizer sees the rest */
}

static void next_finds_the_last_offset_there_is(void **state)
{
	struct index ix = {0};
	uint64_t at = 5;

	(void)state;
	assert_true(index_store(&ix, UINT64_MAX - 1, 9));
	assert_int_equal(index_next(&ix, &at, UINT64_MAX), 9);
	assert_true(at == UINT64_MAX - 1);
	at = UINT64_MAX - 1;
	assert_int_equal(index_next(&ix, &at, UINT64_MAX - 1), 0);
	assert_true(index_store(&ix, UINT64_MAX - 1, 0));
}

static void a_large_offset_after_a_removed_small_one(void **state)
{
	struct index ix = {0};

	(void)state;
	assert_true(index_store(&ix, 3, 1));
	assert_true(index_store(&ix, 3, 0));
	assert_true(index_store(&ix, 1ull << 40, 2));
	assert_int_equal(index_load(&ix, 3), 0);
	assert_int_equal(index_load(&ix, 1ull << 40), 2);
	assert_true(index_store(&ix, 1ull << 40, 0));
}

static void a_run_goes_in_one_step(void **state)
{
	struct index ix = {0};
	uint64_t *slot, at = 0;

	(void)state;
	for (uint64_t pg = 60; pg < 70; pg++)
		assert_true(index_store(&ix, pg, 4 * pg));
	slot = index_next_slot(&ix, &at, 100);
	assert_true(at == 60 && *slot == 240 && index_left(at) == 4);
	index_remove(&ix, slot, at, index_left(at)); /* the rest of the node, which is freed */
	assert_int_equal(ix.nr, 6);
	slot = index_next_slot(&ix, &at, 100);
	assert_true(at == 64 && slot[5] == 4 * 69);
	index_remove(&ix, slot + 1, at + 1, 4);
	assert_int_equal(index_load(&ix, 64), 256);
	assert_int_equal(index_load(&ix, 65), 0);
	assert_int_equal(index_load(&ix, 69), 276);
	index_remove(&ix, slot, 64, 1);
	index_remove(&ix, slot + 5, 69, 1);
	assert_null(ix.root);
}

static void a_large_value_has_one_place(void **state)
{
	struct index ix = {0};
	bool taken;
	uint64_t at = 1, *slot = index_add_large(&ix, 512, 8 | INDEX_LARGE, &taken);

	(void)state;
	assert_non_null(slot);
	assert_ptr_equal(index_slot(&ix, 512), slot);
	assert_null(index_add_large(&ix, 512, 8 | INDEX_LARGE, &taken));
	assert_true(taken && ix.nr == 1);
	assert_ptr_equal(index_next_slot(&ix, &at, 2048), slot);
	assert_true(at == 512);
	at = 513;
	assert_null(index_next_slot(&ix, &at, 2048));
	index_remove_large(&ix, slot, 512);
	assert_null(ix.root);
}

/* ---- no memory ------------------------------------------------------------------------------- */

/* A large value at page 0 makes a tree of two levels, whose offsets end at page 4095. */
static void a_value_is_no_node_when_growing_fails(void **state)
{
	struct index ix = {0};
	bool taken;
	uint64_t *slot = index_add_large(&ix, 0, 8 | INDEX_LARGE, &taken);

	(void)state;
	assert_non_null(slot);
	allowed = 0;
	assert_null(index_add(&ix, 4096, 4)); /* its way down begins at the same slot */
	assert_null(index_add_large(&ix, 4096, INDEX_LARGE, &taken));
	assert_false(taken);
	allowed = UINT32_MAX;
	assert_true(index_load(&ix, 0) == (8 | INDEX_LARGE) && ix.nr == 1);
	index_remove_large(&ix, slot, 0);
	assert_null(ix.root);
}

/* Adds one value to a tree that has `present` ones, with every number of allocations that is too
 * small; each time nothing has changed, and nothing is left over. */
static void fail_each_allocation(uint64_t first_page, unsigned present, uint64_t pg, bool large)
{
	bool added = false, taken;

	for (unsigned n = 0; !added; n++) {
		struct index ix = {0};

		if (present)
			assert_non_null(
				first_page % INDEX_LARGE_PAGES
					? index_add(&ix, first_page, 4)
					: index_add_large(&ix, first_page, INDEX_LARGE, &taken));
		allowed = n;
		added = large ? index_add_large(&ix, pg, 8 | INDEX_LARGE, &taken) != NULL
			      : index_add(&ix, pg, 8) != NULL;
		allowed = UINT32_MAX;
		assert_int_equal(ix.nr, present + added);
		assert_int_equal(index_load(&ix, pg), added ? 8 | (large ? INDEX_LARGE : 0) : 0);
		if (added && large)
			index_remove_large(&ix, index_slot(&ix, pg), pg);
		else if (added)
			index_remove(&ix, index_slot(&ix, pg), pg, 1);
		if (present && first_page % INDEX_LARGE_PAGES)
			index_remove(&ix, index_slot(&ix, first_page), first_page, 1);
		else if (present)
			index_remove_large(&ix, index_slot(&ix, first_page), first_page);
		assert_null(ix.root); /* and LeakSanitizer sees the rest */
	}
}

static void no_memory_changes_nothing(void **state)
{
	static const uint64_t where[] = {0, 512, 3584, 4096, 1u << 18, 1ull << 36};

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		for (unsigned j = 0; j < 6; j++)
			for (unsigned large = 0; large < 2; large++) {
				fail_each_allocation(0, 0, where[j], large);
				if (where[i] == where[j])
					continue;
				fail_each_allocation(where[i], 1, where[j], large);
				fail_each_allocation(where[i] + 7, 1, where[j], large);
			}
}

/* ---- random operations against an array ------------------------------------------------------ */

#define PAGES 8192u
#define LARGE 512u /* pages of a large value here */

static uint64_t model[PAGES]; /* a large value: at its first page */
static unsigned large_ones;   /* added */

/* Does something large begin at the 512 pages around pg? */
static bool under_large(uint64_t pg)
{
	return model[pg / LARGE * LARGE] & INDEX_LARGE;
}

static void store_one(struct index *ix, uint64_t pg, uint64_t value)
{
	if (under_large(pg))
		return;
	assert_true(index_store(ix, pg, value));
	model[pg] = value;
}

/* As many values as follow one another from pg on, within the node. */
static void remove_run(struct index *ix, uint64_t pg)
{
	unsigned n = 0;

	if (under_large(pg))
		return;
	while (n < index_left(pg) && model[pg + n])
		model[pg + n++] = 0;
	if (n)
		index_remove(ix, index_slot(ix, pg), pg, n);
}

static void add_or_remove_large(struct index *ix, uint64_t pg, uint64_t value)
{
	uint64_t first = pg / LARGE * LARGE;
	bool empty = true, taken;

	for (uint64_t i = first; i < first + LARGE; i++)
		empty &= !model[i];
	if (!empty) {
		assert_null(index_add_large(ix, first, INDEX_LARGE, &taken));
		assert_true(taken);
	}
	for (uint64_t i = first; i < first + LARGE && !empty && pg % 2; i++)
		store_one(ix, i, 0); /* room for the next one */
	if (under_large(pg)) {
		index_remove_large(ix, index_slot(ix, first), first);
		model[first] = 0;
	} else if (empty || pg % 2) {
		large_ones++;
		model[first] = value | INDEX_LARGE;
		assert_non_null(index_add_large(ix, first, model[first], &taken));
	}
}

static void look_for_next(const struct index *ix, uint64_t from, uint64_t end)
{
	uint64_t at = from, want = from, got = index_next(ix, &at, end);

	while (want < end && !model[want])
		want++;
	assert_int_equal(got, want < end ? model[want] : 0);
	if (got)
		assert_int_equal(at, want);
}

static void agrees_with_an_array_over_random_operations(void **state)
{
	struct index ix = {0};

	(void)state;
	srand(1);
	for (int op = 0; op < 300000; op++) {
		uint64_t pg = (uint64_t)rand() % PAGES, value = ((uint64_t)rand() + 1) * 4;

		if (op % 5 == 0)
			remove_run(&ix, pg);
		else if (op % 101 == 0)
			add_or_remove_large(&ix, pg, value);
		else
			store_one(&ix, pg, rand() % 3 ? value : 0);
		if (op % 97 == 0)
			look_for_next(&ix, (uint64_t)rand() % PAGES, (uint64_t)rand() % PAGES);
	}
	for (uint64_t pg = 0; pg < PAGES; pg++) {
		assert_true(under_large(pg) || index_load(&ix, pg) == model[pg]);
		if (model[pg] & INDEX_LARGE)
			add_or_remove_large(&ix, pg, 0);
		store_one(&ix, pg, 0);
	}
	assert_null(ix.root);
	assert_int_equal(ix.nr, 0);
	assert_true(large_ones > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_index_has_nothing),
		cmocka_unit_test(stores_loads_and_frees_every_node),
		cmocka_unit_test(next_finds_the_last_offset_there_is),
		cmocka_unit_test(a_large_offset_after_a_removed_small_one),
		cmocka_unit_test(a_run_goes_in_one_step),
		cmocka_unit_test(a_large_value_has_one_place),
		cmocka_unit_test(a_value_is_no_node_when_growing_fails),
		cmocka_unit_test(no_memory_changes_nothing),
		cmocka_unit_test(agrees_with_an_array_over_random_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
