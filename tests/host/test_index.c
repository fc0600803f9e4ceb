/* SPDX-License-Identifier: MIT */
/* The index of a DAX file against an array that does the same. */
/* LINK: dax/index.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dax/index.h"

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

#define PAGES 5000

static void agrees_with_an_array_over_random_operations(void **state)
{
	static uint64_t model[PAGES];
	struct index ix = {0};

	(void)state;
	srand(1);
	for (int op = 0; op < 200000; op++) {
		uint64_t pg = (uint64_t)rand() % PAGES,
			 value = rand() % 3 ? (uint64_t)rand() + 1 : 0;

		assert_true(index_store(&ix, pg, value));
		model[pg] = value;
		if (op % 97 == 0) {
			uint64_t at = (uint64_t)rand() % PAGES, want = at;
			uint64_t got = index_next(&ix, &at, PAGES);

			while (want < PAGES && !model[want])
				want++;
			assert_int_equal(got, want < PAGES ? model[want] : 0);
			if (got)
				assert_int_equal(at, want);
		}
	}
	for (uint64_t pg = 0; pg < PAGES; pg++) {
		assert_int_equal(index_load(&ix, pg), model[pg]);
		assert_true(index_store(&ix, pg, 0));
	}
	assert_null(ix.root);
	assert_int_equal(ix.nr, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_index_has_nothing),
		cmocka_unit_test(stores_loads_and_frees_every_node),
		cmocka_unit_test(next_finds_the_last_offset_there_is),
		cmocka_unit_test(a_large_offset_after_a_removed_small_one),
		cmocka_unit_test(agrees_with_an_array_over_random_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
