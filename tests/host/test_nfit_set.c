/* SPDX-License-Identifier: MIT */
/*
 * Interleave sets: translation both ways, by enumeration, and the cookies that name a set.
 */
/* LINK: drivers/nfit/nfit.c drivers/nfit/nfit_frame.c */
/* LINK: drivers/nfit/nfit_decode.c drivers/nfit/nfit_resolve.c */
/* LINK: drivers/nfit/nfit_set.c drivers/nfit/nfit_print.c */
/* LINK: drivers/acpi/acpi_notes.c kernel/console/text.c */
#include "tests/host/test_nfit_build.h"

static struct table t;
static struct nfit n;

#define RANGE (4 * MiB)

/*
 * `ways` DIMMs with parts of RANGE / ways, `count` lines of `size` bytes per round. DIMM i has the
 * lines i, i + ways, i + 2 * ways, ... when `by_lines`; else it starts at region offset i * size
 * and all share one description.
 */
static void build_set(unsigned int ways, unsigned int count, uint32_t size, bool by_lines)
{
	begin(&t);
	add_spa(&t, 1, 4 * GiB, RANGE);
	for (unsigned int i = 0; i < ways; i++) {
		uint8_t *m = add_memdev(&t, 0x10 + i, 1, (uint16_t)(10 + i), RANGE / ways);
		uint8_t *il = NULL;

		add_dcr(&t, (uint16_t)(10 + i), 0x1000 + i);
		put(m + 24, by_lines ? 0 : i * size, 8);
		put(m + 32, 0x100000 * i, 8);
		put(m + 40, by_lines ? 1 + i : 1, 2);
		put(m + 42, ways, 2);
		if (by_lines || !i)
			il = add_interleave(&t, (uint16_t)(1 + i), count, size);
		for (unsigned int k = 0; il && k < count; k++)
			put(il + 16 + 4 * k, k * ways + (by_lines ? i : 0), 4);
	}
}

/*
 * Every 64-byte step of the range has one place on one DIMM, no place is used twice, and going
 * back gives where we came from.
 */
static void expect_bijection(unsigned int ways)
{
	static uint8_t used[16][RANGE / 64];
	const struct nfit_spa *s = range(&n, 1);
	const struct nfit_memdev *m;
	uint64_t dpa, back;

	memset(used, 0, sizeof(used));
	assert_true(s->translatable);
	for (uint64_t off = 0; off < RANGE; off += 64) {
		assert_int_equal(nfit_spa_to_dpa(s, off, &m, &dpa), 0);
		uint64_t place = dpa - m->dpa;

		assert_true(place < RANGE / ways && place % 64 == 0);
		assert_int_equal(used[m->handle & 15][place / 64]++, 0);
		assert_int_equal(nfit_dpa_to_spa(m, dpa, &back), 0);
		assert_true(back == off);
	}
	assert_int_equal(nfit_spa_to_dpa(s, RANGE, &m, &dpa), -ERANGE);
	assert_int_equal(nfit_dpa_to_spa(m, m->dpa + RANGE / ways, &back), -ERANGE);
}

static void one_dimm(void **state)
{
	(void)state;
	begin(&t);
	add_spa(&t, 1, 4 * GiB, RANGE);
	put(add_memdev(&t, 0x10, 1, 3, RANGE) + 32, 0x7000, 8);
	add_dcr(&t, 3, 1);
	assert_int_equal(parse(&n, &t, NULL), 0);
	expect_bijection(1);
	nfit_free(&n);
}

static void two_ways_own_descriptions(void **state)
{
	(void)state;
	build_set(2, 4, 4096, true);
	assert_int_equal(parse(&n, &t, NULL), 0);
	expect_bijection(2);
	nfit_free(&n);
}

static void two_ways_shared_description(void **state)
{
	(void)state;
	build_set(2, 1, 256, false);
	assert_int_equal(parse(&n, &t, NULL), 0);
	expect_bijection(2);
	nfit_free(&n);
}

static void eight_ways(void **state)
{
	(void)state;
	build_set(8, 16, 256, true);
	assert_int_equal(parse(&n, &t, NULL), 0);
	expect_bijection(8);
	nfit_free(&n);
}

/* A pattern in no order at all is still a partition when no line is named twice. */
static void shuffled_pattern(void **state)
{
	static const uint32_t mine[4] = {6, 0, 3, 5}, other[4] = {1, 7, 2, 4};
	uint8_t *il;

	(void)state;
	build_set(2, 4, 4096, true);
	il = t.b + 40 + 56 + 48 + 80;
	for (int k = 0; k < 4; k++) {
		put(il + 16 + 4 * k, mine[k], 4);
		put(il + 32 + 48 + 80 + 16 + 4 * k, other[k], 4);
	}
	assert_int_equal(parse(&n, &t, NULL), 0);
	expect_bijection(2);
	nfit_free(&n);
}

/* The formula itself, with numbers worked out by hand: 2 ways, 4 lines of 4 KiB, DIMM 1. */
static void formula_by_hand(void **state)
{
	uint64_t off;

	(void)state;
	build_set(2, 4, 4096, true);
	assert_int_equal(parse(&n, &t, NULL), 0);
	const struct nfit_memdev *m = &range(&n, 1)->memdev[1];

	/* byte 0x5123 of the part: line 5 = second round, entry 1 → line 3, plus a round of 8 lines
	 */
	assert_int_equal(nfit_dpa_to_spa(m, m->dpa + 0x5123, &off), 0);
	assert_int_equal(off, (8 + 3) * 4096 + 0x123);
	nfit_free(&n);
}

static void expect_untranslatable(const char *why)
{
	const struct nfit_memdev *m;
	uint64_t x;

	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(range(&n, 1)->verdict, NFIT_ACCEPTED);
	assert_int_equal(nfit_spa_to_dpa(range(&n, 1), 0, &m, &x), -EOPNOTSUPP);
	assert_int_equal(nfit_dpa_to_spa(range(&n, 1)->memdev, 0, &x), -EOPNOTSUPP);
	if (!warned(&n, why))
		fail_msg("no warning \"%s\", first is \"%s\"", why, n.notes.line[0]);
	nfit_free(&n);
}

static void colliding_lines(void **state)
{
	(void)state;
	build_set(2, 4, 4096, true);
	put(t.b + 40 + 56 + 48 + 80 + 16, 2, 4); /* entry 0 of DIMM 0 now equals its entry 1 */
	expect_untranslatable("same place");
}

static void missing_description(void **state)
{
	(void)state;
	build_set(2, 4, 4096, true);
	put(t.b + 40 + 56 + 40, 0, 2);
	expect_untranslatable("no interleave description");
}

static void line_size_zero(void **state)
{
	(void)state;
	build_set(2, 1, 0, true);
	expect_untranslatable("line size");
}

static void parts_do_not_add_up(void **state)
{
	(void)state;
	build_set(2, 4, 4096, true);
	put(t.b + 40 + 56 + 16, RANGE, 8);
	expect_untranslatable("add up");
}

/* Three lines of 4 KiB do not go evenly into a part of 2 MiB. */
static void unfinished_round(void **state)
{
	(void)state;
	build_set(2, 3, 4096, true);
	expect_untranslatable("whole number of interleave rounds");
}

/* Two sets whose DIMMs are listed in turns: each range gets its own two, by handle. */
static void sets_listed_in_turns(void **state)
{
	(void)state;
	begin(&t);
	for (uint32_t i = 0; i < 4; i++) {
		uint8_t *m = add_memdev(&t, 0x13 - i, (uint16_t)(2 - i % 2), 0, RANGE / 2);

		put(m + 42, 2, 2);
	}
	add_spa(&t, 1, 4 * GiB, RANGE);
	add_spa(&t, 2, 5 * GiB, RANGE);
	assert_int_equal(parse(&n, &t, NULL), 0);
	for (uint16_t i = 1; i <= 2; i++) {
		const struct nfit_spa *s = range(&n, i);

		assert_int_equal(s->verdict, NFIT_ACCEPTED);
		assert_int_equal(s->nr_memdevs, 2);
		assert_int_equal(s->memdev[0].handle, 0x0f + i);
		assert_int_equal(s->memdev[1].handle, 0x11 + i);
		assert_ptr_equal(s->memdev[1].spa, s);
	}
	nfit_free(&n);
}

/* fletcher64: lo = 1, 3, 6; hi = 1, 4, 10; the carry out of lo is lost, hi keeps 32 bits. */
static void fletcher_by_hand(void **state)
{
	static const uint8_t words[12] = {1, 0, 0, 0, 2, 0, 0, 0, 3};
	static const uint8_t ones[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	(void)state;
	assert_true(nfit_fletcher64(words, 12) == 0x0000000a00000006);
	assert_true(nfit_fletcher64(ones, 8) == 0xfffffffdfffffffe);
	assert_true(nfit_fletcher64(ones, 0) == 0);
}

/* One DIMM at offset 0: words {0, 0, serial, …}, small enough to sum by hand. */
static void cookie_by_hand(void **state)
{
	(void)state;
	begin(&t);
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
	assert_int_equal(parse(&n, &t, NULL), 0);
	const struct nfit_spa *s = range(&n, 2);

	/* v1.1, 4 words: lo = serial; hi = serial twice */
	assert_true(s->cookie_v11 == (0x2468acull << 32 | 0x123456));
	assert_true(s->cookie_alt == s->cookie_v11);
	/* v1.2, 12 words: serial at word 2, vendor at word 3: hi = 10 * serial + 9 * vendor */
	assert_true(s->cookie_v12 ==
		    ((10 * 0x123456ull + 9 * 0x8086ull) << 32 | (0x123456 + 0x8086)));
	nfit_free(&n);
}

/* "alt" orders by bytes: offset 0x100 (00 01) comes before offset 0x1 (01 00). */
static void alt_cookie_orders_by_bytes(void **state)
{
	uint64_t v11, alt;

	(void)state;
	build_set(2, 1, 4096, true);
	put(t.b + 40 + 56 + 24, 0x1, 8);
	put(t.b + 40 + 56 + 48 + 80 + 20 + 24, 0x100, 8);
	assert_int_equal(parse(&n, &t, NULL), 0);
	v11 = range(&n, 1)->cookie_v11;
	alt = range(&n, 1)->cookie_alt;
	assert_true(v11 != alt);
	assert_true((uint32_t)v11 == (uint32_t)alt); /* the same words, summed in another order */
	nfit_free(&n);
}

/* Position is the order by region offset, not by handle. */
static void positions(void **state)
{
	(void)state;
	build_set(2, 1, 4096, false);
	put(t.b + 40 + 56 + 24, 4096, 8);
	put(t.b + 40 + 56 + 48 + 80 + 20 + 24, 0, 8);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(range(&n, 1)->memdev[0].handle, 0x10);
	assert_int_equal(range(&n, 1)->memdev[0].position, 1);
	assert_int_equal(range(&n, 1)->memdev[1].position, 0);
	expect_bijection(2);
	nfit_free(&n);
}

/* Without a control region there is nothing to make a cookie of: labels are out. */
static void no_cookie_without_dcr(void **state)
{
	(void)state;
	begin(&t);
	add_spa(&t, 1, 4 * GiB, 64 * MiB);
	add_memdev(&t, 1, 1, 0, 64 * MiB);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(range(&n, 1)->verdict, NFIT_ACCEPTED);
	assert_true(range(&n, 1)->cookie_v11 == 0 && range(&n, 1)->cookie_v12 == 0);
	assert_true(warned(&n, "labels cannot be used"));
	nfit_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_dimm),
		cmocka_unit_test(two_ways_own_descriptions),
		cmocka_unit_test(two_ways_shared_description),
		cmocka_unit_test(eight_ways),
		cmocka_unit_test(shuffled_pattern),
		cmocka_unit_test(formula_by_hand),
		cmocka_unit_test(colliding_lines),
		cmocka_unit_test(missing_description),
		cmocka_unit_test(line_size_zero),
		cmocka_unit_test(parts_do_not_add_up),
		cmocka_unit_test(unfinished_round),
		cmocka_unit_test(sets_listed_in_turns),
		cmocka_unit_test(fletcher_by_hand),
		cmocka_unit_test(cookie_by_hand),
		cmocka_unit_test(alt_cookie_orders_by_bytes),
		cmocka_unit_test(positions),
		cmocka_unit_test(no_cookie_without_dcr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
