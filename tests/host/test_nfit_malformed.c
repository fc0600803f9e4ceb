/* SPDX-License-Identifier: MIT */
/*
 * NFITs whose bytes cannot be believed, one test per row of what can be wrong: the table is
 * refused or cut short, with the errno and the sentence that tell which.
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

static void expect_table_refused(int err, const char *part)
{
	assert_int_equal(parse(&n, &t, NULL), err);
	assert_int_equal(n.verdict, NFIT_REJECTED);
	assert_int_equal(n.error, err);
	assert_contains(n.reason, part);
	assert_int_equal(n.nr_spas, 0);
	assert_null(nfit_next(&n, NULL));
	nfit_free(&n);
}

/* Length 0: stop, keep what was read, say "truncated". */
static void length_zero(void **state)
{
	(void)state;
	begin_with_dimm();
	put(add_spa(&t, 9, 8 * GiB, 64 * MiB) + 2, 0, 2);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.verdict, NFIT_TRUNCATED);
	assert_int_equal(n.nr_spas, 1);
	assert_int_equal(range(&n, 2)->verdict, NFIT_ACCEPTED);
	assert_contains(n.reason, "offset 224 has length 0");
	nfit_free(&n);
}

/* Length 1 to 3 is below the structure's own header. */
static void length_below_four(void **state)
{
	(void)state;
	for (uint16_t len = 1; len < 4; len++) {
		begin_with_dimm();
		put(add_spa(&t, 9, 8 * GiB, 64 * MiB) + 2, len, 2);
		assert_int_equal(parse(&n, &t, NULL), 0);
		assert_int_equal(n.verdict, NFIT_TRUNCATED);
		assert_int_equal(n.nr_spas, 1);
		nfit_free(&n);
	}
}

/* A structure that runs past the end is not read. */
static void length_past_end(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 9, 8 * GiB, 64 * MiB);
	t.len -= 8;
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.verdict, NFIT_TRUNCATED);
	assert_int_equal(n.nr_spas, 1);
	nfit_free(&n);
}

/* One to three bytes at the end are no structure. */
static void trailing_bytes(void **state)
{
	(void)state;
	begin_with_dimm();
	t.len += 3;
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.verdict, NFIT_TRUNCATED);
	assert_contains(n.reason, "3 bytes at offset 224");
	nfit_free(&n);
}

/* A range structure of 52, 60 or, without the cookie flag, 64 bytes. */
static void spa_length(void **state)
{
	static const uint16_t bad[] = {4, 8, 52, 60, 64};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin_with_dimm();
		put(add(&t, 0, bad[i]) + 4, 9, bad[i] >= 6 ? 2 : 0);
		expect_table_refused(-EINVAL, "(expected 56)");
	}
}

/* The cookie flag on a range structure of 56 bytes. */
static void spa_without_its_cookie(void **state)
{
	(void)state;
	begin_with_dimm();
	put(add_spa(&t, 9, 8 * GiB, 64 * MiB) + 6, 4, 2);
	expect_table_refused(-EINVAL, "(expected 64)");
}

static void memdev_length(void **state)
{
	(void)state;
	begin_with_dimm();
	add(&t, 1, 44);
	expect_table_refused(-EINVAL, "MEMDEV structure at offset 224 has length 44 (expected 48)");
	begin_with_dimm();
	add(&t, 1, 52);
	expect_table_refused(-EINVAL, "length 52");
}

static void bdw_length(void **state)
{
	(void)state;
	begin_with_dimm();
	add(&t, 5, 44);
	expect_table_refused(-EINVAL, "block data window structure at offset 224 has length 44");
}

static void dcr_below_32(void **state)
{
	(void)state;
	begin_with_dimm();
	add(&t, 4, 28);
	expect_table_refused(-EINVAL, "(expected 32 or more)");
}

/* Windows promised, but no room for them. */
static void dcr_windows_below_80(void **state)
{
	(void)state;
	begin_with_dimm();
	put(add(&t, 4, 76) + 30, 1, 2);
	expect_table_refused(-EINVAL, "has length 76 (expected 80 or more)");
}

static void interleave_without_lines(void **state)
{
	(void)state;
	begin_with_dimm();
	add_interleave(&t, 1, 0, 256);
	expect_table_refused(-EINVAL, "count 0");
}

/* A count that would make 32-bit arithmetic come out right must not. */
static void interleave_count_mismatch(void **state)
{
	static const uint32_t count[] = {3, 5, 0x40000004, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(count) / sizeof(count[0]); i++) {
		begin_with_dimm();
		put(add_interleave(&t, 1, 4, 256) + 8, count[i], 4);
		expect_table_refused(-EINVAL, "interleave structure at offset 224");
	}
}

static void flush_without_hints(void **state)
{
	(void)state;
	begin_with_dimm();
	add_flush(&t, 1, 0, 0);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.nr_flushes, 0);
	assert_null(n.dimms[0].flush);
	assert_true(warned(&n, "no addresses"));
	nfit_free(&n);
}

static void flush_count_mismatch(void **state)
{
	(void)state;
	begin_with_dimm();
	put(add_flush(&t, 1, 2, 0xfe000000) + 8, 3, 2);
	expect_table_refused(-EINVAL,
			     "flush hint structure at offset 224 has length 32 and count 3");
}

/* "Highest valid bit" 31 and above: all 32 bits count, no shift beyond the word. */
static void capabilities_highest(void **state)
{
	(void)state;
	for (int highest = 31; highest <= 255; highest += 32) {
		begin(&t);
		add_caps(&t, (uint8_t)highest, 0x80000002);
		assert_int_equal(parse(&n, &t, NULL), 0);
		assert_int_equal(n.caps_highest, 31);
		assert_true(n.caps == 0x80000002);
		nfit_free(&n);
	}
}

static void capabilities_too_short(void **state)
{
	(void)state;
	begin_with_dimm();
	add(&t, 7, 8);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_false(n.has_caps);
	assert_true(warned(&n, "shorter than 16"));
	nfit_free(&n);
}

static void unknown_type(void **state)
{
	(void)state;
	begin(&t);
	add(&t, 0x77, 12);
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.nr_unknown, 1);
	assert_int_equal(range(&n, 2)->verdict, NFIT_ACCEPTED);
	assert_true(warned(&n, "unknown type 119"));
	nfit_free(&n);
}

static void duplicate_structure(void **state)
{
	(void)state;
	begin_with_dimm();
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.nr_spas, 1);
	assert_int_equal(n.nr_memdevs, 1);
	assert_int_equal(range(&n, 2)->verdict, NFIT_ACCEPTED);
	assert_int_equal(n.notes.nr, 3);
	assert_true(warned(&n, "repeats the one at 40"));
	nfit_free(&n);
}

static void duplicate_spa_index(void **state)
{
	(void)state;
	begin_with_dimm();
	add_spa(&t, 2, 8 * GiB, 64 * MiB);
	expect_table_refused(-EEXIST, "SPA range index 2 at offsets 40 and 224");
}

static void duplicate_dcr_index(void **state)
{
	(void)state;
	begin_with_dimm();
	add_dcr(&t, 3, 99);
	expect_table_refused(-EEXIST, "control region index 3");
}

static void duplicate_interleave_index(void **state)
{
	(void)state;
	begin_with_dimm();
	add_interleave(&t, 5, 2, 256);
	add_interleave(&t, 5, 4, 256);
	expect_table_refused(-EEXIST, "interleave index 5");
}

static void bad_checksum(void **state)
{
	char line[256];

	(void)state;
	begin_with_dimm();
	seal(&t);
	t.b[9] = (uint8_t)(t.b[9] + 0x13);
	assert_int_equal(parse_bytes(&n, t.b, t.len, NULL), -EINVAL);
	nfit_verdict_line(&n, line, sizeof(line));
	assert_string_equal(line, "NFIT #1: rejected: checksum 0x13 (expected sum 0)");
	nfit_free(&n);
}

static void wrong_signature(void **state)
{
	(void)state;
	begin_with_dimm();
	t.b[0] = 'X';
	expect_table_refused(-EINVAL, "signature");
}

/* Every length in the header that the bytes at hand cannot satisfy. */
static void header_length(void **state)
{
	static const uint32_t bad[] = {0, 39, 225, 0x7fffffff, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin_with_dimm();
		seal(&t);
		put(t.b + 4, bad[i], 4);
		assert_int_equal(parse_bytes(&n, t.b, t.len, NULL), -EINVAL);
		assert_contains(n.reason, "length");
		nfit_free(&n);
	}
	for (size_t len = 0; len < 40; len++) {
		assert_int_equal(parse_bytes(&n, t.b, len, NULL), -EINVAL);
		nfit_free(&n);
	}
}

/* Bits that mean nothing may have any value. */
static void reserved_fields(void **state)
{
	(void)state;
	begin(&t);
	memset(t.b + 36, 0xff, 4);
	memset(add_spa(&t, 1, 4 * GiB, 64 * MiB) + 8, 0xff, 4);
	memset(add_memdev(&t, 1, 1, 2, 64 * MiB) + 46, 0xff, 2);
	memset(add_dcr(&t, 2, 5) + 74, 0xff, 6);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(range(&n, 1)->verdict, NFIT_ACCEPTED);
	assert_int_equal(n.notes.nr, 0);
	nfit_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(length_zero),
		cmocka_unit_test(length_below_four),
		cmocka_unit_test(length_past_end),
		cmocka_unit_test(trailing_bytes),
		cmocka_unit_test(spa_length),
		cmocka_unit_test(spa_without_its_cookie),
		cmocka_unit_test(memdev_length),
		cmocka_unit_test(bdw_length),
		cmocka_unit_test(dcr_below_32),
		cmocka_unit_test(dcr_windows_below_80),
		cmocka_unit_test(interleave_without_lines),
		cmocka_unit_test(interleave_count_mismatch),
		cmocka_unit_test(flush_without_hints),
		cmocka_unit_test(flush_count_mismatch),
		cmocka_unit_test(capabilities_highest),
		cmocka_unit_test(capabilities_too_short),
		cmocka_unit_test(unknown_type),
		cmocka_unit_test(duplicate_structure),
		cmocka_unit_test(duplicate_spa_index),
		cmocka_unit_test(duplicate_dcr_index),
		cmocka_unit_test(duplicate_interleave_index),
		cmocka_unit_test(bad_checksum),
		cmocka_unit_test(wrong_signature),
		cmocka_unit_test(header_length),
		cmocka_unit_test(reserved_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
