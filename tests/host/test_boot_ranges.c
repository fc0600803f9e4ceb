/* SPDX-License-Identifier: MIT */
/*
 * boot/ranges.c: whatever order and overlap the ranges come in, they leave sorted, apart from each
 * other, and with the more restrictive type wherever two claim the same bytes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/internal.h"

/* LINK: boot/ranges.c */

static struct boot_info bi;

static int setup(void **state)
{
	(void)state;
	memset(&bi, 0, sizeof(bi));
	return 0;
}

static void expect_range(uint32_t i, uint64_t base, uint64_t len, uint32_t type)
{
	assert_true(i < bi.nr_ranges);
	assert_int_equal(bi.ranges[i].base, base);
	assert_int_equal(bi.ranges[i].len, len);
	assert_int_equal(bi.ranges[i].type, type);
}

/* Ascending, no two share a byte, none is empty: what struct boot_range promises. */
static void expect_apart(void)
{
	for (uint32_t i = 0; i < bi.nr_ranges; i++) {
		const struct boot_range *r = &bi.ranges[i];

		assert_true(r->len > 0 && r->base + r->len > r->base);
		if (i && r[-1].base + r[-1].len > r->base)
			fail_msg("disorder at %u: 0x%llx after 0x%llx", i,
				 (unsigned long long)r->base, (unsigned long long)r[-1].base);
	}
}

static void ranges_come_out_sorted(void **state)
{
	(void)state;
	boot_add_range(&bi, 0x5000, 0x1000, BOOT_RAM);
	boot_add_range(&bi, 0x1000, 0x1000, BOOT_RAM);
	boot_add_range(&bi, 0x3000, 0x1000, BOOT_NVS);
	boot_normalise_ranges(&bi);
	assert_int_equal(bi.nr_ranges, 3);
	expect_range(0, 0x1000, 0x1000, BOOT_RAM);
	expect_range(1, 0x3000, 0x1000, BOOT_NVS);
	expect_range(2, 0x5000, 0x1000, BOOT_RAM);
	assert_int_equal(boot_ram_bytes(&bi), 0x2000);
}

static void empty_ranges_vanish(void **state)
{
	(void)state;
	boot_add_range(&bi, 0x1000, 0, BOOT_RAM);
	boot_normalise_ranges(&bi);
	assert_int_equal(bi.nr_ranges, 0);
}

static void neighbours_of_one_type_join(void **state)
{
	(void)state;
	boot_add_range(&bi, 0x2000, 0x1000, BOOT_RAM);
	boot_add_range(&bi, 0x1000, 0x1000, BOOT_RAM);
	boot_normalise_ranges(&bi);
	assert_int_equal(bi.nr_ranges, 1);
	expect_range(0, 0x1000, 0x2000, BOOT_RAM);
}

static void reserved_inside_ram_cuts_it(void **state)
{
	(void)state;
	boot_add_range(&bi, 0x1000, 0x9000, BOOT_RAM);
	boot_add_range(&bi, 0x3000, 0x1000, BOOT_RESERVED);
	boot_normalise_ranges(&bi);
	assert_int_equal(bi.nr_ranges, 3);
	expect_range(0, 0x1000, 0x2000, BOOT_RAM);
	expect_range(1, 0x3000, 0x1000, BOOT_RESERVED);
	expect_range(2, 0x4000, 0x6000, BOOT_RAM);
}

static void the_more_restrictive_type_wins(void **state)
{
	static const uint32_t rising[] = {BOOT_RAM, BOOT_PMEM,	   BOOT_ACPI,
					  BOOT_NVS, BOOT_RESERVED, BOOT_BAD};

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		for (unsigned order = 0; order < 2; order++) {
			memset(&bi, 0, sizeof(bi));
			boot_add_range(&bi, 0x1000, 0x1000, rising[i + order]);
			boot_add_range(&bi, 0x1000, 0x1000, rising[i + !order]);
			boot_normalise_ranges(&bi);
			assert_int_equal(bi.nr_ranges, 1);
			expect_range(0, 0x1000, 0x1000, rising[i + 1]);
		}
}

static void unknown_types_are_as_good_as_reserved(void **state)
{
	(void)state;
	boot_add_range(&bi, 0x1000, 0x2000, BOOT_RAM);
	boot_add_range(&bi, 0x1000, 0x1000, 99);
	boot_normalise_ranges(&bi);
	assert_int_equal(boot_ram_bytes(&bi), 0x1000);
}

static void a_range_past_the_last_address_is_cut(void **state)
{
	(void)state;
	boot_add_range(&bi, UINT64_MAX - 0x1000, 0x5000, BOOT_RAM);
	boot_normalise_ranges(&bi);
	assert_int_equal(bi.nr_ranges, 1);
	assert_int_equal(bi.ranges[0].len, 0x1000);
}

static void what_does_not_fit_is_counted(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < BOOT_MAX_RANGES + 3; i++)
		boot_add_range(&bi, i * 0x2000, 0x1000, BOOT_RAM);
	assert_int_equal(bi.nr_ranges, BOOT_MAX_RANGES);
	assert_int_equal(bi.ranges_dropped, 3);
}

static void a_reserved_range_too_many_costs_ram(void **state)
{
	(void)state;
	boot_add_range(&bi, 0, 1ull << 40, BOOT_RAM);
	for (uint64_t i = 0; i < BOOT_MAX_RANGES; i++)
		boot_add_range(&bi, i * 0x2000, 0x1000, BOOT_RESERVED);
	boot_normalise_ranges(&bi);
	for (uint32_t i = 0; i < bi.nr_ranges; i++)
		assert_int_not_equal(bi.ranges[i].type, BOOT_RAM);
	assert_int_equal(bi.ranges_dropped, 1);
}

/* Reserved pieces inside one RAM range: cutting makes nearly twice as many ranges as there were. */
static void pieces_that_do_not_fit_are_counted(void **state)
{
	uint32_t ram = 0;

	(void)state;
	boot_add_range(&bi, 0, BOOT_MAX_RANGES * 0x2000ull, BOOT_RAM);
	for (uint64_t i = 1; i < BOOT_MAX_RANGES; i++)
		boot_add_range(&bi, i * 0x2000, 0x1000, BOOT_RESERVED);
	boot_normalise_ranges(&bi);
	assert_int_equal(bi.nr_ranges, BOOT_MAX_RANGES);
	assert_int_equal(bi.ranges_dropped, BOOT_MAX_RANGES - 1);
	expect_apart();
	for (uint32_t i = 0; i < bi.nr_ranges; i++)
		ram += bi.ranges[i].type == BOOT_RAM;
	assert_int_equal(ram, 1);
}

/* Cutting the RAM at the lower end makes one piece too many: RAM goes, and what gets its room still
 * comes behind all that lies below it. */
static void what_evicts_ram_stays_in_order(void **state)
{
	const uint64_t last = BOOT_MAX_RANGES * 0x2000ull;

	(void)state;
	boot_add_range(&bi, 0x1000, 0x3000, BOOT_RAM);
	boot_add_range(&bi, 0x2000, 0x1000, BOOT_RESERVED);
	for (uint64_t i = 2; i < BOOT_MAX_RANGES - 1; i++)
		boot_add_range(&bi, i * 0x2000, 0x1000, BOOT_RESERVED);
	boot_add_range(&bi, last, 0x1000, BOOT_NVS);
	assert_int_equal(bi.nr_ranges, BOOT_MAX_RANGES);
	boot_normalise_ranges(&bi);
	expect_apart();
	assert_int_equal(bi.nr_ranges, BOOT_MAX_RANGES);
	assert_int_equal(bi.ranges_dropped, 1);
	expect_range(0, 0x1000, 0x1000, BOOT_RAM);
	expect_range(1, 0x2000, 0x1000, BOOT_RESERVED);
	expect_range(2, 0x4000, 0x1000, BOOT_RESERVED);
	expect_range(BOOT_MAX_RANGES - 1, last, 0x1000, BOOT_NVS);
}

/* Against a byte-wise model: every cell of a small memory has the most restrictive type given. */
static void ranges_agree_with_a_model(void **state)
{
	static const int strength[] = {0, 1, 5, 3, 4, 6, 5, 2};

	(void)state;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		int model[64] = {0};

		memset(&bi, 0, sizeof(bi));
		for (int n = rand() % 12; n >= 0; n--) {
			int base = rand() % 60, len = rand() % (64 - base), type = 1 + rand() % 7;

			boot_add_range(&bi, (uint64_t)base, (uint64_t)len, (uint32_t)type);
			for (int i = base; i < base + len; i++)
				if (strength[type] > model[i])
					model[i] = strength[type];
		}
		boot_normalise_ranges(&bi);
		for (uint32_t r = 0; r < bi.nr_ranges; r++) {
			assert_true(!r || bi.ranges[r].base >=
						  bi.ranges[r - 1].base + bi.ranges[r - 1].len);
			for (uint64_t i = 0; i < bi.ranges[r].len; i++) {
				uint64_t cell = bi.ranges[r].base + i;

				assert_int_equal(strength[bi.ranges[r].type], model[cell]);
				model[cell] = 0;
			}
		}
		for (int i = 0; i < 64; i++)
			assert_int_equal(model[i], 0);
	}
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ranges_come_out_sorted),
		TEST(empty_ranges_vanish),
		TEST(neighbours_of_one_type_join),
		TEST(reserved_inside_ram_cuts_it),
		TEST(the_more_restrictive_type_wins),
		TEST(unknown_types_are_as_good_as_reserved),
		TEST(a_range_past_the_last_address_is_cut),
		TEST(what_does_not_fit_is_counted),
		TEST(a_reserved_range_too_many_costs_ram),
		TEST(pieces_that_do_not_fit_are_counted),
		TEST(what_evicts_ram_stays_in_order),
		TEST(ranges_agree_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
