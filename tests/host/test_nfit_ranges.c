/* SPDX-License-Identifier: MIT */
/*
 * Ranges and DIMMs that make no sense in a table that does: each is refused alone, with a sentence,
 * and the others go on. Also: several tables, and a table that follows another.
 */
/* LINK: drivers/nfit/nfit.c drivers/nfit/nfit_frame.c */
/* LINK: drivers/nfit/nfit_decode.c drivers/nfit/nfit_resolve.c */
/* LINK: drivers/nfit/nfit_set.c drivers/nfit/nfit_print.c */
/* LINK: drivers/acpi/acpi_notes.c kernel/console/text.c */
#include "tests/host/test_nfit_build.h"

static struct table t;
static struct nfit n;

/* A valid DIMM first, so that "the others go on" can be seen. */
static void begin_with_dimm(void)
{
	begin(&t);
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
}

static void expect_range_refused(uint16_t index, const struct nfit_env *env, const char *part)
{
	assert_int_equal(parse(&n, &t, env), 0);
	assert_int_equal(range(&n, index)->verdict, NFIT_REJECTED);
	assert_contains(range(&n, index)->reason, part);
	assert_true(range(&n, index)->usable_length == 0);
	assert_int_equal(range(&n, 2)->verdict, NFIT_ACCEPTED);
	nfit_free(&n);
}

/* The reason is no other one that says "length 0x0". */
static void spa_length_zero(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 8 * GiB, 0);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_string_equal(range(&n, 8)->reason, "length 0");
	nfit_free(&n);
	expect_range_refused(8, NULL, "length 0");
}

static void spa_wraps(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 0xffffffffffe00000, 0x400000);
	expect_range_refused(8, NULL, "wraps");
}

/* The last byte of all has an address, and the range does not wrap: it is refused for its bits. */
static void spa_up_to_the_last_address(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 0xffffffffffe00000, 0x200000);
	expect_range_refused(8, NULL, "beyond the 52 address bits");
}

/* Nothing lies beyond the address bits of the CPU; the last byte below them is fine. */
static void spa_beyond_address_bits(void **state)
{
	static const struct nfit_env env = {.phys_bits = 40};

	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, (1ull << 40) - 2 * MiB, 4 * MiB);
	expect_range_refused(8, &env, "beyond the 40 address bits");
	begin_with_dimm();
	add_spa(&t, 8, (1ull << 40) - 2 * MiB, 2 * MiB);
	assert_int_equal(parse(&n, &t, &env), 0);
	assert_int_equal(range(&n, 8)->verdict, NFIT_ACCEPTED);
	nfit_free(&n);
}

static const char *over_the_apic(uint64_t base, uint64_t len)
{
	bool over = base <= 0xfee00000 && 0xfee00000 - base < len;

	return over ? "holds device registers" : NULL;
}

/* What cannot be bound is not accepted, and is not counted as usable; what trimming took away may
 * lie anywhere. */
static void spa_over_registers(void **state)
{
	static const struct nfit_env env = {.place = over_the_apic};
	char line[256];

	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 0xfee00000, 2 * MiB);
	assert_int_equal(parse(&n, &t, &env), 0);
	nfit_verdict_line(&n, line, sizeof(line));
	assert_contains(line, "1 of 2 ranges usable");
	nfit_free(&n);
	expect_range_refused(8, &env, "0xfee00000-0xfeffffff holds device registers");
	begin_with_dimm();
	add_spa(&t, 8, 0xfec00000, 2 * MiB + 4096);
	assert_int_equal(parse(&n, &t, &env), 0);
	assert_int_equal(range(&n, 8)->verdict, NFIT_ACCEPTED);
	nfit_free(&n);
}

/* One shared byte is enough; neighbours are not overlapping. */
static void spa_overlaps_ram(void **state)
{
	static const struct nfit_range ram[] = {{0, 0xa0000}, {8 * GiB, 64 * MiB}};
	static const struct nfit_env env = {.ram = ram, .nr_ram = 2};

	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 8 * GiB + 64 * MiB - 1, 64 * MiB);
	expect_range_refused(8, &env, "overlaps RAM 0x200000000-0x203ffffff");
	begin_with_dimm();
	add_spa(&t, 8, 8 * GiB + 64 * MiB, 64 * MiB);
	add_spa(&t, 9, 8 * GiB - 64 * MiB, 64 * MiB);
	assert_int_equal(parse(&n, &t, &env), 0);
	assert_int_equal(range(&n, 8)->verdict, NFIT_ACCEPTED);
	assert_int_equal(range(&n, 9)->verdict, NFIT_ACCEPTED);
	nfit_free(&n);
}

static void spa_overlaps_spa(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 4 * GiB + 62 * MiB, 64 * MiB);
	expect_range_refused(8, NULL, "overlaps range 2 of NFIT #1");
}

static void spa_index_zero(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 0, 8 * GiB, 64 * MiB);
	expect_range_refused(0, NULL, "index 0 is reserved");
}

/* Ends off 2 MiB: cut inwards, with the loss counted in pages and the fix named. */
static void spa_unaligned(void **state)
{
	(void)state;
	begin(&t);
	add_spa(&t, 1, 0x11fe20000, 0xffc0000);
	assert_int_equal(parse(&n, &t, NULL), 0);
	const struct nfit_spa *s = range(&n, 1);

	assert_int_equal(s->verdict, NFIT_ACCEPTED);
	assert_true(s->usable_base == 0x120000000 && s->usable_length == 0xfc00000);
	assert_int_equal(s->lost_start, 0x1e0000);
	assert_int_equal(s->lost_end, 0x1e0000);
	assert_int_equal(nfit_pages_lost(s), 960);
	assert_contains(s->reason, "960 pages lost");
	assert_contains(s->reason, "align=2M");
	nfit_free(&n);
}

/* Nothing aligned remains, whether the range is small or lies across one border. */
static void spa_trimmed_to_nothing(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 8 * GiB + 0x1000, 2 * MiB);
	expect_range_refused(8, NULL, "align=2M");
	begin_with_dimm();
	add_spa(&t, 8, 8 * GiB + 0x1000, 0x1000); /* aligning it would not help */
	expect_range_refused(8, NULL, "it has 4096 bytes; 2 MiB or more would do");
}

/* Ways says two DIMMs, the table has one. */
static void ways_mismatch(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 8 * GiB, 64 * MiB);
	put(add_memdev(&t, 7, 8, 3, 32 * MiB) + 42, 2, 2);
	expect_range_refused(8, NULL, "interleaved 2 ways, but the table has 1 DIMM");
}

static void dimm_twice_in_a_set(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 8 * GiB, 64 * MiB);
	put(add_memdev(&t, 7, 8, 3, 32 * MiB) + 42, 2, 2);
	put(add_memdev(&t, 7, 8, 3, 32 * MiB) + 24, 4096, 8);
	expect_range_refused(8, NULL, "DIMM 0x7 is in it twice");
}

static void memdev_without_range(void **state)
{
	(void)state;
	begin_with_dimm();
	add_memdev(&t, 7, 99, 3, 64 * MiB);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.nr_dimms, 2);
	assert_null(n.memdevs[1].spa);
	assert_true(warned(&n, "DIMM 0x7 without region: range 99"));
	assert_int_equal(range(&n, 2)->verdict, NFIT_ACCEPTED);
	nfit_free(&n);
}

static void memdev_without_dcr(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 8, 8 * GiB, 64 * MiB);
	add_memdev(&t, 7, 8, 44, 64 * MiB);
	expect_range_refused(8, NULL, "DIMM 0x7 failed: control region 44");
}

/* Two tables: each its verdict; what the second repeats or overlaps is refused range by range. */
static void second_table(void **state)
{
	static struct nfit second;
	struct nfit_env env = {.earlier = &n};

	(void)state;
	begin_with_dimm();
	assert_int_equal(parse(&n, &t, NULL), 0);
	add_spa(&t, 50, 9 * GiB, 64 * MiB);
	assert_int_equal(parse(&second, &t, &env), 0);
	assert_int_equal(second.number, 2);
	assert_int_equal(range(&second, 2)->verdict, NFIT_REJECTED);
	assert_contains(range(&second, 2)->reason, "overlaps range 2 of NFIT #1");
	assert_int_equal(range(&second, 50)->verdict, NFIT_ACCEPTED);
	assert_true(nfit_next(&second, NULL)->table == &n);
	assert_true(nfit_next(&second, nfit_next(&second, NULL))->table == &second);
	nfit_free(&second);
	nfit_free(&n);
}

/* A refused table does not take the number or the ranges of the others. */
static void rejected_table_between(void **state)
{
	static struct nfit bad, third;
	struct nfit_env after_first = {.earlier = &n}, after_bad = {.earlier = &bad};
	char line[256];

	(void)state;
	begin_with_dimm();
	assert_int_equal(parse(&n, &t, NULL), 0);
	t.b[50]++; /* no longer sums to zero */
	assert_int_equal(parse_bytes(&bad, t.b, t.len, &after_first), -EINVAL);
	begin(&t);
	add_qemu_dimm(&t, 0, 6 * GiB, 64 * MiB);
	assert_int_equal(parse(&third, &t, &after_bad), 0);
	nfit_verdict_line(&bad, line, sizeof(line));
	assert_string_equal(line, "NFIT #2: rejected: checksum 0x01 (expected sum 0)");
	assert_int_equal(third.number, 3);
	assert_true(nfit_next(&third, NULL)->base == 4 * GiB);
	assert_true(nfit_next(&third, nfit_next(&third, NULL))->base == 6 * GiB);
	nfit_free(&third);
	nfit_free(&bad);
	nfit_free(&n);
}

/* After a hot-plug everything known must still be there; more may be. */
static void update_may_not_delete(void **state)
{
	static struct nfit fresh;
	char why[160];

	(void)state;
	begin_with_dimm();
	assert_int_equal(parse(&n, &t, NULL), 0);
	add_qemu_dimm(&t, 1, 5 * GiB, 64 * MiB);
	assert_int_equal(parse(&fresh, &t, NULL), 0);
	assert_int_equal(nfit_check_update(&n, &fresh, why, sizeof(why)), 0);
	assert_int_equal(nfit_check_update(&fresh, &n, why, sizeof(why)), -ENXIO);
	assert_contains(why, "deletes entries");
	nfit_free(&fresh);
	nfit_free(&n);
}

/* Names follow the order in which the DIMMs were given: neither where one landed nor whether it is
 * of use moves another. */
static void order_follows_handles(void **state)
{
	const struct nfit_spa *out[8];

	(void)state;
	begin(&t);
	add_qemu_dimm(&t, 2, 4 * GiB + 64 * MiB, 64 * MiB); /* the third one fitted into a gap */
	add_spa(&t, 100, 9 * GiB, 64 * MiB);		    /* no DIMM is behind it */
	add_qemu_dimm(&t, 1, 5 * GiB, GiB);
	add_qemu_dimm(&t, 3, 8 * GiB, MiB); /* too small to be bound */
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
	add_qemu_dimm(&t, 4, 3 * GiB, 64 * MiB);
	memcpy(add_spa(&t, 200, 20 * GiB, 64 * MiB) + 16, guid_volatile, 16);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(nfit_in_order(&n, NULL, 0), 6);
	assert_int_equal(nfit_in_order(&n, out, 8), 6);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(out[i]->memdev[0].handle, i + 1);
	assert_int_equal(out[3]->verdict, NFIT_REJECTED);
	assert_contains(out[3]->reason, "1048576 bytes; 2 MiB or more");
	assert_int_equal(out[5]->index, 100);
	nfit_free(&n);
}

/* A second table's DIMMs come after all of the first one's, whatever their handles. */
static void order_of_tables(void **state)
{
	static struct nfit second;
	const struct nfit_spa *out[2];
	struct nfit_env env = {.earlier = &n};

	(void)state;
	begin(&t);
	add_qemu_dimm(&t, 7, 8 * GiB, 64 * MiB);
	assert_int_equal(parse(&n, &t, NULL), 0);
	begin(&t);
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
	assert_int_equal(parse(&second, &t, &env), 0);
	assert_int_equal(nfit_in_order(&second, out, 2), 2);
	assert_true(out[0]->table == &n && out[1]->table == &second);
	nfit_free(&second);
	nfit_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spa_length_zero),
		cmocka_unit_test(spa_wraps),
		cmocka_unit_test(spa_beyond_address_bits),
		cmocka_unit_test(spa_over_registers),
		cmocka_unit_test(spa_overlaps_ram),
		cmocka_unit_test(spa_overlaps_spa),
		cmocka_unit_test(spa_index_zero),
		cmocka_unit_test(spa_unaligned),
		cmocka_unit_test(spa_trimmed_to_nothing),
		cmocka_unit_test(ways_mismatch),
		cmocka_unit_test(dimm_twice_in_a_set),
		cmocka_unit_test(memdev_without_range),
		cmocka_unit_test(memdev_without_dcr),
		cmocka_unit_test(second_table),
		cmocka_unit_test(rejected_table_between),
		cmocka_unit_test(update_may_not_delete),
		cmocka_unit_test(order_follows_handles),
		cmocka_unit_test(order_of_tables),
		cmocka_unit_test(spa_up_to_the_last_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
