/* SPDX-License-Identifier: MIT */
/*
 * DMAR tables, hand-made: what QEMU writes, what other firmware may write, and what nobody should
 * believe. Every refusal names its reason, and leaves nothing of the table; bytes chosen at random
 * never lead the parser out of the table.
 */
/* LINK: drivers/iommu/dmar.c drivers/iommu/dmar_scope.c drivers/iommu/dmar_print.c */
/* LINK: drivers/acpi/acpi_notes.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "drivers/iommu/iommu.h"

static uint8_t b[70000];
static size_t len;
static struct dmar d;
static const struct dmar_range ram[] = {{0, 0xa0000}, {0x100000, 0x7ff00000}};
static const struct dmar_env env = {.ram = ram, .nr_ram = 2, .phys_bits = 40};

static void put(size_t at, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		b[at + i] = (uint8_t)(v >> 8 * i);
}

static void begin(void)
{
	memset(b, 0, sizeof(b));
	memcpy(b, "DMAR", 4);
	b[8] = 1;
	memcpy(b + 10, "BOCHS BXPC    ", 14);
	b[36] = 38;
	b[37] = 1;
	len = 48;
}

static size_t add(uint16_t type, uint16_t bytes)
{
	size_t at = len;

	put(at, type, 2);
	put(at + 2, bytes, 2);
	len += bytes;
	return at;
}

static size_t add_unit(uint64_t base, unsigned flags, unsigned segment)
{
	size_t at = add(0, 16);

	b[at + 4] = (uint8_t)flags;
	put(at + 6, segment, 2);
	put(at + 8, base, 8);
	return at;
}

static size_t add_reserved(uint64_t base, uint64_t last)
{
	size_t at = add(1, 24);

	put(at + 8, base, 8);
	put(at + 16, last, 8);
	return at;
}

/* Behind the last structure, which is at `at`: a way of `depth` steps (device, function). */
static void add_scope(size_t at, unsigned kind, unsigned bus, unsigned depth, const uint8_t *way)
{
	b[len] = (uint8_t)kind;
	b[len + 1] = (uint8_t)(6 + 2 * depth);
	b[len + 5] = (uint8_t)bus;
	memcpy(b + len + 6, way, 2 * depth);
	len += 6 + 2 * depth;
	put(at + 2, len - at, 2);
}

static int parse_as_is(size_t avail)
{
	uint8_t *exact = malloc(avail ? avail : 1);
	int err;

	memcpy(exact, b, avail);
	err = dmar_parse(&d, exact, avail, &env);
	free(exact); /* no pointer into it was kept */
	return err;
}

static int parse(void)
{
	put(4, len, 4);
	b[9] = 0;
	b[9] = (uint8_t)-byte_sum(b, len);
	return parse_as_is(len);
}

static void refused(int err, const char *part)
{
	char line[256];

	assert_int_equal(parse(), err);
	assert_int_equal(d.verdict, DMAR_REJECTED);
	if (!strstr(d.reason, part))
		fail_msg("\"%s\" does not contain \"%s\"", d.reason, part);
	assert_int_equal(d.nr_units + d.nr_reserved + d.nr_scopes, 0);
	dmar_verdict_line(&d, line, sizeof(line));
	assert_non_null(strstr(line, part));
	assert_null(dmar_unit_of(&d, 0, 2, 0, NULL));
}

/* One unit that is fine, with device 0:2.0. */
static size_t one_unit(void)
{
	size_t at;

	begin();
	at = add_unit(0xfed90000, 0, 0);
	add_scope(at, DMAR_ENDPOINT, 0, 1, (const uint8_t[]){2, 0});
	return at;
}

/* ---- what is right --------------------------------------------------------------------------- */

static void like_qemu(void **state)
{
	size_t at;

	(void)state;
	begin();
	at = add_unit(0xfed90000, 0, 0);
	add_scope(at, DMAR_IOAPIC, 0xff, 1, (const uint8_t[]){0, 0});
	add_scope(at, DMAR_ENDPOINT, 0, 1, (const uint8_t[]){2, 0});
	add_scope(at, DMAR_ENDPOINT, 0, 1, (const uint8_t[]){31, 2});
	assert_int_equal(parse(), 0);
	assert_int_equal(d.verdict, DMAR_ACCEPTED);
	assert_int_equal(d.width, 39);
	assert_int_equal(d.nr_units, 1);
	assert_int_equal(d.unit[0].nr_scopes, 3);
	assert_ptr_equal(dmar_unit_of(&d, 0, 2, 0, NULL), &d.unit[0]);
	assert_ptr_equal(dmar_unit_of(&d, 0, 31, 2, NULL), &d.unit[0]);
	assert_null(dmar_unit_of(&d, 0, 3, 0, NULL));
	/* The IOAPIC's scope is no way to a device. */
	assert_null(dmar_unit_of(&d, 0xff, 0, 0, NULL));
}

/* 0:1.0 leads to bus 1, 1:0.0 to bus 2; 0:4.0 to bus 9; bus 7 is behind a bridge on bus 7. */
static int behind(uint8_t bus, uint8_t dev, uint8_t fn)
{
	if (fn)
		return -1;
	if (!bus && dev == 4)
		return 9;
	return (!bus && dev == 1) ? 1 : (bus == 1 && !dev) ? 2 : -1;
}
static int above(uint8_t bus)
{
	switch (bus) {
	case 1: return 1 << 3;
	case 2: return 1 << 8;
	case 9: return 4 << 3;
	case 7: return 7 << 8 | 1 << 3; /* in a circle */
	default: return -1;
	}
}
static const struct dmar_buses buses = {behind, above};

static void bridges_and_the_rest(void **state)
{
	size_t at;

	(void)state;
	begin();
	at = add_unit(0xfed90000, 0, 0);
	add_scope(at, DMAR_BRIDGE, 0, 1, (const uint8_t[]){4, 0});
	add_scope(at, DMAR_ENDPOINT, 0, 3, (const uint8_t[]){1, 0, 0, 0, 5, 1});
	add_scope(at, DMAR_ENDPOINT, 0, 2, (const uint8_t[]){6, 0, 0, 0}); /* leads nowhere */
	add_unit(0xfed91000, 1, 0);
	assert_int_equal(parse(), 0);
	assert_ptr_equal(dmar_unit_of(&d, 9, 3, 0, &buses), &d.unit[0]);
	assert_ptr_equal(dmar_unit_of(&d, 0, 4, 0, &buses), &d.unit[0]);
	assert_ptr_equal(dmar_unit_of(&d, 2, 5, 1, &buses), &d.unit[0]);
	assert_ptr_equal(dmar_unit_of(&d, 2, 5, 0, &buses), &d.unit[1]);
	assert_ptr_equal(dmar_unit_of(&d, 7, 0, 0, &buses), &d.unit[1]);
	assert_ptr_equal(dmar_unit_of(&d, 0, 6, 0, &buses), &d.unit[1]);
}

static void reserved_memory(void **state)
{
	size_t at;

	(void)state;
	one_unit();
	at = add_reserved(0x9f000000, 0x9f00ffff);
	add_scope(at, DMAR_ENDPOINT, 0, 1, (const uint8_t[]){29, 0});
	add_reserved(0x9f000000, 0x9f00fffe);
	add_reserved(0x9f000000, 0x9effffff);
	add_reserved(0x100000, 0x1fffff);
	add_reserved(0, UINT64_MAX);
	assert_int_equal(parse(), 0);
	assert_int_equal(d.reserved[0].verdict, DMAR_ACCEPTED);
	assert_int_equal(d.reserved[0].len, 0x10000);
	assert_true(dmar_reserved_for(&d, &d.reserved[0], 0, 29, 0, &buses));
	assert_false(dmar_reserved_for(&d, &d.reserved[0], 0, 2, 0, &buses));
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(d.reserved[i].verdict, DMAR_REJECTED);
	assert_non_null(strstr(d.reserved[1].reason, "multiple of 4 KiB"));
	assert_non_null(strstr(d.reserved[2].reason, "before its begin"));
	assert_non_null(strstr(d.reserved[3].reason, "overlaps RAM"));
	assert_non_null(strstr(d.reserved[4].reason, "before its begin"));
}

/* ---- what is refused alone ----------------------------------------------------------------- */

static void unit_refused(uint64_t base, unsigned flags, const char *part)
{
	begin();
	add_unit(0xfed90000, 1, 0);
	add_unit(base, flags, 0);
	assert_int_equal(parse(), 0);
	assert_int_equal(d.unit[0].verdict, DMAR_ACCEPTED);
	assert_int_equal(d.unit[1].verdict, DMAR_REJECTED);
	if (!strstr(d.unit[1].reason, part))
		fail_msg("\"%s\" does not contain \"%s\"", d.unit[1].reason, part);
}

static void units_in_wrong_places(void **state)
{
	(void)state;
	unit_refused(0, 0, "multiple of 4 KiB above 0");
	unit_refused(0xfed91800, 0, "multiple of 4 KiB above 0");
	unit_refused(0x200000, 0, "overlaps RAM");
	unit_refused(1ull << 40, 0, "beyond the CPU's 40 address bits");
	unit_refused(0xfffffffffffff000ull, 0, "beyond the CPU's 40 address bits");
	unit_refused(0xfed90000, 0, "overlap those of the unit");
	unit_refused(0xfed91000, 1, "has the rest of segment 0 already");
}

/* A refused unit keeps its devices: the unit that has the rest does not translate them. */
static void refused_unit_keeps_its_devices(void **state)
{
	size_t at;

	(void)state;
	begin();
	at = add_unit(0x200000, 0, 0);
	add_scope(at, DMAR_ENDPOINT, 0, 1, (const uint8_t[]){2, 0});
	add_unit(0xfed90000, 1, 0);
	add_unit(0xfed91000, 0, 3);
	assert_int_equal(parse(), 0);
	assert_null(dmar_unit_of(&d, 0, 2, 0, &buses));
	assert_ptr_equal(dmar_unit_of(&d, 0, 3, 0, &buses), &d.unit[1]);
	assert_int_equal(d.unit[2].verdict, DMAR_IGNORED);
	assert_non_null(strstr(d.unit[2].reason, "segment 3"));
}

/* ---- what refuses the table ---------------------------------------------------------------- */

static void damaged_headers(void **state)
{
	(void)state;
	one_unit();
	parse();
	assert_int_equal(parse_as_is(20), -EINVAL);
	assert_non_null(strstr(d.reason, "length 20"));
	assert_int_equal(parse_as_is(len - 1), -EINVAL);
	assert_non_null(strstr(d.reason, "but only"));
	b[50] ^= 1;
	assert_int_equal(parse_as_is(len), -EINVAL);
	assert_non_null(strstr(d.reason, "checksum"));
	one_unit();
	b[0] = 'X';
	refused(-EINVAL, "signature 58");
	one_unit();
	b[36] = 30;
	refused(-EINVAL, "31 bits");
	one_unit();
	b[36] = 255;
	refused(-EINVAL, "256 bits");
	begin();
	len = 65600;
	refused(-EINVAL, "length 65600");
	begin();
	refused(-EINVAL, "no remapping unit");
}

static void damaged_structures(void **state)
{
	size_t at;

	(void)state;
	at = one_unit();
	put(at + 2, 0, 2);
	refused(-EINVAL, "offset 48 has length 0");
	at = one_unit();
	put(at + 2, 200, 2);
	refused(-EINVAL, "offset 48 has length 200");
	one_unit();
	len += 3;
	refused(-EINVAL, "3 bytes at offset 72");
	one_unit();
	add(0, 12);
	refused(-EINVAL, "unit structure at offset 72 has length 12");
	one_unit();
	add(1, 16);
	refused(-EINVAL, "reserved-memory structure at offset 72 has length 16");
}

static void damaged_scopes(void **state)
{
	static const uint8_t bad[] = {0, 1, 6, 7, 9, 10, 255};
	static const uint8_t long_way[16];
	size_t at;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad); i++) {
		at = one_unit();
		b[at + 17] = bad[i];
		refused(-EINVAL, "device scope at offset 64 has length");
	}
	at = one_unit();
	len += 2; /* two bytes are no scope */
	put(at + 2, len - at, 2);
	refused(-EINVAL, "device scope at offset 72");
	at = one_unit();
	b[at + 22] = 32;
	refused(-EINVAL, "names device 32.0");
	at = one_unit();
	b[at + 23] = 8;
	refused(-EINVAL, "names device 2.8");
	at = one_unit();
	add_scope(at, DMAR_ENDPOINT, 0, 7, long_way);
	refused(-E2BIG, "leads over 6 bridges");
}

static void too_many(void **state)
{
	size_t at;

	(void)state;
	begin();
	for (unsigned i = 0; i <= DMAR_MAX_UNITS; i++)
		add_unit(0xfe000000 + i * 0x1000, 0, 0);
	refused(-E2BIG, "more than 16 remapping units");
	one_unit();
	for (unsigned i = 0; i <= DMAR_MAX_RESERVED; i++)
		add_reserved(0x9f000000, 0x9f000fff);
	refused(-E2BIG, "more than 16 reserved ranges");
	begin();
	at = add_unit(0xfed90000, 0, 0);
	for (unsigned i = 0; i <= DMAR_MAX_SCOPES; i++)
		add_scope(at, DMAR_ENDPOINT, 0, 1, (const uint8_t[]){1, 0});
	refused(-E2BIG, "more than 256 device scopes");
}

static void unknown_is_skipped(void **state)
{
	(void)state;
	one_unit();
	add(3, 20);
	add(200, 8);
	assert_int_equal(parse(), 0);
	assert_int_equal(d.nr_other, 2);
	assert_int_equal(d.notes.nr, 1);
	assert_non_null(strstr(d.notes.line[0], "unknown type 200"));
}

/* ---- anything ------------------------------------------------------------------------------ */

static void count_line(void *ctx, const char *line)
{
	assert_non_null(line);
	++*(unsigned *)ctx;
}

static void random_bytes(void **state)
{
	unsigned accepted = 0, lines = 0;

	(void)state;
	srand(20261129);
	for (unsigned round = 0; round < 40000; round++) {
		one_unit();
		add_reserved(0x9f000000, 0x9f000fff);
		for (unsigned n = 1 + (unsigned)rand() % 4; n; n--)
			b[36 + (unsigned)rand() % (len - 36)] = (uint8_t)rand();
		if (rand() % 8 == 0)
			len -= (unsigned)rand() % 40;
		accepted += parse() == 0;
		assert_true(d.verdict == DMAR_ACCEPTED || d.reason[0]);
		dmar_print(&d, count_line, &lines);
		for (unsigned i = 0; i < 20; i++)
			dmar_unit_of(&d, (uint8_t)(rand() % 10), (uint8_t)(rand() % 32),
				     (uint8_t)(rand() % 8), &buses);
	}
	assert_true(accepted >= 1000 && accepted <= 39000);
	assert_true(lines > 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_qemu),
		cmocka_unit_test(bridges_and_the_rest),
		cmocka_unit_test(reserved_memory),
		cmocka_unit_test(units_in_wrong_places),
		cmocka_unit_test(refused_unit_keeps_its_devices),
		cmocka_unit_test(damaged_headers),
		cmocka_unit_test(damaged_structures),
		cmocka_unit_test(damaged_scopes),
		cmocka_unit_test(too_many),
		cmocka_unit_test(unknown_is_skipped),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
