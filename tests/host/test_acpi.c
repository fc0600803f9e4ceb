/* SPDX-License-Identifier: MIT */
/*
 * From the RSDP to every table, on memory made by hand.
 *
 * map() hands out a copy of exactly the bytes that were asked for, so that reading one byte more
 * than was mapped is an error of the address sanitizer.
 */
/* LINK: drivers/acpi/acpi_tables.c drivers/acpi/acpi_decode.c drivers/acpi/acpi_notes.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "drivers/acpi/acpi.h"

#define BASE 0xe0000u /* physical address of mem[0] */

static uint8_t mem[0x4000];
static void *copies[4096];
static unsigned int nr_copies;
static struct acpi_tables t;

static const void *map(void *ctx, uint64_t phys, uint64_t len)
{
	assert_null(ctx);
	assert_true(len > 0);
	if (phys < BASE || len > sizeof(mem) || phys - BASE > sizeof(mem) - len)
		return NULL;
	assert_true(nr_copies < 4096);
	copies[nr_copies] = malloc(len);
	return memcpy(copies[nr_copies++], mem + (phys - BASE), len);
}

static int fresh(void **state)
{
	(void)state;
	memset(mem, 0, sizeof(mem));
	memset(&t, 0, sizeof(t));
	return 0;
}

static int release(void **state)
{
	(void)state;
	while (nr_copies)
		free(copies[--nr_copies]);
	return 0;
}

static void put(uint32_t at, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		mem[at + i] = (uint8_t)(v >> 8 * i);
}

static void fix_sum(uint32_t at, uint32_t len, uint32_t where)
{
	uint8_t sum = 0;

	mem[where] = 0;
	for (uint32_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + mem[at + i]);
	mem[where] = (uint8_t)-sum;
}

static void put_rsdp(uint32_t at, uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
	memcpy(mem + at, "RSD PTR ", 8);
	memcpy(mem + at + 9, "BOCHS ", 6);
	mem[at + 15] = revision;
	put(at + 16, rsdt, 4);
	fix_sum(at, 20, at + 8);
	if (revision < 2)
		return;
	put(at + 20, 36, 4);
	put(at + 24, xsdt, 8);
	fix_sum(at, 36, at + 32);
}

/* A sealed table whose body is already in place. */
static void put_table(uint32_t at, const char *sig, uint32_t len)
{
	memcpy(mem + at, sig, 4);
	put(at + 4, len, 4);
	mem[at + 8] = 1;
	memcpy(mem + at + 10, "OEMID TABLE   ", 14);
	fix_sum(at, len, at + 9);
}

/* RSDP at 0, XSDT at 0x100 with SSDT at 0x200 and NFIT at 0x300, RSDT at 0x180 with the SSDT. */
static void small_firmware(void)
{
	put(0x100 + 36, BASE + 0x200, 8);
	put(0x100 + 44, BASE + 0x300, 8);
	put_table(0x100, "XSDT", 52);
	put(0x180 + 36, BASE + 0x200, 4);
	put_table(0x180, "RSDT", 40);
	put_table(0x200, "SSDT", 64);
	put_table(0x300, "NFIT", 40);
	put_rsdp(0, 2, BASE + 0x180, BASE + 0x100);
}

static bool noted(const struct notes *n, const char *part)
{
	for (unsigned int i = 0; i < n->nr; i++) {
		if (strstr(n->line[i], part))
			return true;
	}
	return false;
}

static void revision_2_follows_the_xsdt(void **state)
{
	(void)state;
	small_firmware();
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(t.rsdp.revision, 2);
	assert_int_equal(t.nr, 3);
	assert_string_equal(t.table[0].signature, "XSDT");
	assert_string_equal(t.table[2].signature, "NFIT");
	assert_int_equal(t.table[1].length, 64);
	assert_string_equal(t.table[1].oem, "OEMID ");
	assert_string_equal(t.table[1].oem_table, "TABLE   ");
	assert_int_equal(t.notes.nr, 0);
}

static void revision_0_follows_the_rsdt(void **state)
{
	(void)state;
	small_firmware();
	put_rsdp(0, 0, BASE + 0x180, 0);
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_string_equal(t.table[0].signature, "RSDT");
	assert_int_equal(t.nr, 2);
	assert_null(acpi_find(&t, "NFIT"));
}

/* A revision 0 RSDP in the last 20 mapped bytes: nothing behind it may be touched. */
static void revision_0_reads_20_bytes(void **state)
{
	uint32_t at = sizeof(mem) - 20;

	(void)state;
	small_firmware();
	memset(mem, 0, 36);
	put_rsdp(at, 0, BASE + 0x180, 0);
	assert_int_equal(acpi_walk(&t, BASE + at, map, NULL), 0);
	assert_int_equal(t.nr, 2);
}

static void rsdp_bad_checksum(void **state)
{
	(void)state;
	small_firmware();
	mem[10] ^= 1;
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), -EINVAL);
	assert_true(noted(&t.notes, "RSDP checksum"));
	assert_int_equal(t.nr, 0);
}

static void rsdp_wrong_signature(void **state)
{
	(void)state;
	small_firmware();
	mem[3] = '_';
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), -EINVAL);
	assert_true(noted(&t.notes, "signature"));
	assert_int_equal(acpi_walk(&t, 0x10, map, NULL), -EINVAL);
	assert_true(noted(&t.notes, "nothing is mapped"));
}

/* A damaged second half leaves the first usable: the RSDT is followed. */
static void rsdp_bad_extended_checksum(void **state)
{
	(void)state;
	small_firmware();
	mem[25] ^= 0x40;
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_string_equal(t.table[0].signature, "RSDT");
	assert_true(noted(&t.notes, "extended checksum"));
	assert_int_equal(t.rsdp.xsdt, 0);
}

static void rsdp_bad_length(void **state)
{
	static const uint32_t bad[] = {0, 20, 35, 257, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		small_firmware();
		put(20, bad[i], 4);
		assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
		assert_string_equal(t.table[0].signature, "RSDT");
		assert_true(noted(&t.notes, "RSDP revision 2 has length"));
	}
}

static void damaged_xsdt_falls_back(void **state)
{
	(void)state;
	small_firmware();
	mem[0x100 + 40] ^= 1;
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_string_equal(t.table[0].signature, "RSDT");
	assert_true(noted(&t.notes, "XSDT at 0xe0100 not used: checksum"));
}

static void no_root_table(void **state)
{
	(void)state;
	small_firmware();
	mem[0x100] = 'Y';
	mem[0x180 + 39] ^= 1;
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), -EINVAL);
	assert_true(noted(&t.notes, "neither"));
}

/* A bad table stays in the list with its verdict; the others are not touched by it. */
static void every_table_has_a_verdict(void **state)
{
	char text[96];

	(void)state;
	small_firmware();
	mem[0x200 + 40] = 0x13;
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(t.table[1].verdict, ACPI_BAD_CHECKSUM);
	acpi_verdict_text(&t.table[1], text, sizeof(text));
	assert_string_equal(text, "checksum 0x13 (expected sum 0)");
	assert_int_equal(t.table[2].verdict, ACPI_OK);
	assert_null(acpi_find(&t, "SSDT"));
	assert_ptr_equal(acpi_find_any(&t, "SSDT", 0), &t.table[1]);
}

static void table_lengths(void **state)
{
	static const uint32_t bad[] = {0, 35, ACPI_MAX_LENGTH + 1, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		small_firmware();
		put(0x200 + 4, bad[i], 4);
		assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
		assert_int_equal(t.table[1].verdict, ACPI_BAD_LENGTH);
		assert_null(t.table[1].bytes);
	}
	put(0x200 + 4, 0x10000, 4); /* believable, but the memory ends before */
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(t.table[1].verdict, ACPI_UNREADABLE);
}

static void unprintable_signature(void **state)
{
	(void)state;
	small_firmware();
	mem[0x201] = 0x80;
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(t.table[1].verdict, ACPI_BAD_SIGNATURE);
	assert_string_equal(t.table[1].signature, "S?DT");
}

static void pointer_to_nowhere(void **state)
{
	(void)state;
	small_firmware();
	put(0x100 + 36, 0xdeadbeef000, 8);
	put_table(0x100, "XSDT", 52);
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(t.table[1].verdict, ACPI_UNREADABLE);
	assert_int_equal(t.table[1].phys, 0xdeadbeef000);
	assert_int_equal(t.table[2].verdict, ACPI_OK);
}

/* Not only the first: the XSDT may name several tables of one signature. */
static void several_nfits(void **state)
{
	(void)state;
	small_firmware();
	put_table(0x400, "NFIT", 56);
	put(0x100 + 52, BASE + 0x400, 8);
	put_table(0x100, "XSDT", 60);
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(acpi_find_any(&t, "NFIT", 0)->length, 40);
	assert_int_equal(acpi_find_any(&t, "NFIT", 1)->length, 56);
	assert_null(acpi_find_any(&t, "NFIT", 2));
}

static void listed_twice(void **state)
{
	(void)state;
	small_firmware();
	put(0x100 + 44, BASE + 0x200, 8);
	put_table(0x100, "XSDT", 52);
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(t.nr, 2);
	assert_true(noted(&t.notes, "listed twice"));
}

/* A root table that is not a whole number of pointers: the rest is told, not read. */
static void half_a_pointer(void **state)
{
	(void)state;
	small_firmware();
	put_table(0x100, "XSDT", 50);
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(t.nr, 2);
	assert_true(noted(&t.notes, "leaves 6 bytes"));
}

/* More tables than the list holds are counted. */
static void too_many_tables(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 80; i++) {
		put(0x100 + 36 + 8 * i, BASE + 0x800 + 40 * i, 8);
		put_table(0x800 + 40 * i, "SSDT", 36);
	}
	put_table(0x100, "XSDT", 36 + 640);
	put_rsdp(0, 2, 0, BASE + 0x100);
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(t.nr, ACPI_MAX_TABLES);
	assert_int_equal(t.dropped, 80 + 1 - ACPI_MAX_TABLES);
}

/* The DSDT is in no root table: it is found through the FADT, and must be called DSDT. */
static void dsdt_through_the_fadt(void **state)
{
	(void)state;
	small_firmware();
	put(0x500 + 40, BASE + 0x600, 4);
	put_table(0x500, "FACP", 116);
	put_table(0x600, "DSDT", 48);
	put(0x100 + 36, BASE + 0x500, 8);
	put_table(0x100, "XSDT", 52);
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_non_null(acpi_find(&t, "DSDT"));
	mem[0x600] = 'S';
	assert_int_equal(acpi_walk(&t, BASE, map, NULL), 0);
	assert_int_equal(t.table[t.nr - 1].verdict, ACPI_BAD_SIGNATURE);
}

/* Scanning looks at 16-byte borders, wants the checksum, and stops at the end of the area. */
static void scan_for_the_rsdp(void **state)
{
	(void)state;
	put_rsdp(0x108, 0, 1, 0); /* not on a border */
	put_rsdp(0x200, 0, 1, 0);
	mem[0x205] ^= 1;
	put_rsdp(0x300, 0, 1, 0);
	mem[0x310] ^= 1; /* damaged */
	put_rsdp(0x400, 0, 1, 0);
	assert_int_equal(acpi_scan_rsdp(BASE, sizeof(mem), map, NULL), BASE + 0x400);
	assert_int_equal(acpi_scan_rsdp(BASE, 0x410, map, NULL), 0);
	assert_int_equal(acpi_scan_rsdp(0x1000, 0x100, map, NULL), 0);
}

/* 2000 damaged firmware images: no read outside what was mapped, every slot has a sane verdict. */
static void damaged_firmware(void **state)
{
	uint32_t r = 12345;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		small_firmware();
		for (int i = 0; i < 4; i++) {
			r = r * 1664525 + 1013904223;
			uint32_t at = (r >> 8) % 0x400;

			mem[at] = (uint8_t)(r >> 3);
			if (r >> 31) { /* half of them with sums that hold */
				fix_sum(0x100, 52, 0x109);
				fix_sum(0, 20, 8);
				fix_sum(0, 36, 32);
			}
		}
		acpi_walk(&t, BASE, map, NULL);
		assert_true(t.nr <= ACPI_MAX_TABLES);
		for (unsigned int i = 0; i < t.nr; i++) {
			const struct acpi_table *e = &t.table[i];

			if (e->verdict == ACPI_OK)
				assert_true(e->bytes && e->length >= ACPI_HEADER && !e->sum);
		}
		release(NULL);
		fresh(NULL);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(revision_2_follows_the_xsdt),
		TEST(revision_0_follows_the_rsdt),
		TEST(revision_0_reads_20_bytes),
		TEST(rsdp_bad_checksum),
		TEST(rsdp_wrong_signature),
		TEST(rsdp_bad_extended_checksum),
		TEST(rsdp_bad_length),
		TEST(damaged_xsdt_falls_back),
		TEST(no_root_table),
		TEST(every_table_has_a_verdict),
		TEST(table_lengths),
		TEST(unprintable_signature),
		TEST(pointer_to_nowhere),
		TEST(several_nfits),
		TEST(listed_twice),
		TEST(half_a_pointer),
		TEST(too_many_tables),
		TEST(dsdt_through_the_fadt),
		TEST(scan_for_the_rsdp),
		TEST(damaged_firmware),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
