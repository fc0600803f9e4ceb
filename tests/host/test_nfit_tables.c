/* SPDX-License-Identifier: MIT */
/*
 * Well-formed NFITs: what they say is what we read.
 */
/* LINK: drivers/nfit/nfit.c drivers/nfit/nfit_frame.c */
/* LINK: drivers/nfit/nfit_decode.c drivers/nfit/nfit_resolve.c */
/* LINK: drivers/nfit/nfit_set.c drivers/nfit/nfit_print.c */
/* LINK: drivers/acpi/acpi_notes.c kernel/console/text.c */
#include <stdio.h>

#include "tests/host/test_nfit_build.h"

static struct table t;
static struct nfit n;

/* QEMU's table for one 509 MiB DIMM has 224 bytes and every field as QEMU writes it. */
static void qemu_one_dimm(void **state)
{
	(void)state;
	begin(&t);
	add_qemu_dimm(&t, 0, 4 * GiB, 0x1fe00000);
	assert_int_equal(t.len, 224);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.verdict, NFIT_ACCEPTED);
	assert_int_equal(n.nr_spas, 1);
	const struct nfit_spa *s = range(&n, 2);

	assert_int_equal(s->verdict, NFIT_ACCEPTED);
	assert_int_equal(s->kind, NFIT_KIND_PM);
	assert_true(s->usable_base == 4 * GiB && s->usable_length == 0x1fe00000);
	assert_int_equal(s->memdev->dcr->serial, 0x123456);
	assert_int_equal(s->memdev->dcr->vendor, 0x8086);
	assert_false(s->read_only);
	assert_int_equal(n.notes.nr, 0);
	assert_string_equal(n.oem, "BOCHS ");
	nfit_free(&n);
}

/* Addresses and lengths are numbers of 64 bits. */
static void sixteen_tib(void **state)
{
	const uint64_t base = 4096 * GiB, length = 16384 * GiB;

	(void)state;
	begin(&t);
	add_qemu_dimm(&t, 0, base, length);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(range(&n, 2)->verdict, NFIT_ACCEPTED);
	assert_int_equal(range(&n, 2)->usable_base, base);
	assert_int_equal(range(&n, 2)->usable_length, length);
	assert_int_equal(range(&n, 2)->memdev->region_size, length);
	nfit_free(&n);
}

/* Eight DIMMs in QEMU's odd order come out by address, each with its own serial. */
static void eight_dimms_by_address(void **state)
{
	static const unsigned int order[8] = {4, 3, 2, 1, 7, 0, 6, 5};
	const struct nfit_spa *s = NULL;

	(void)state;
	begin(&t);
	for (int i = 0; i < 8; i++)
		add_qemu_dimm(&t, order[i], 4 * GiB + order[i] * 64 * MiB, 64 * MiB);
	assert_int_equal(parse(&n, &t, NULL), 0);
	for (unsigned int i = 0; i < 8; i++) {
		s = nfit_next(&n, s);
		assert_non_null(s);
		assert_true(s->base == 4 * GiB + i * 64 * MiB);
		assert_int_equal(s->memdev->dcr->serial, 0x123456 + i);
	}
	assert_null(nfit_next(&n, s));
	nfit_free(&n);
}

static void append_line(void *ctx, const char *text)
{
	strncat(ctx, text, 8191 - strlen(ctx));
	strncat(ctx, "\n", 8191 - strlen(ctx));
}

/* The structures' order changes nothing that is printed: all rotations of one table are alike. */
static void order_does_not_matter(void **state)
{
	static char first[8192], now[8192];
	static uint8_t ring[65536];

	(void)state;
	begin(&t);
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
	add_qemu_dimm(&t, 1, 4 * GiB + 32 * MiB,
		      64 * MiB); /* overlaps: one must lose, always the same */
	add_flush(&t, 1, 2, 0xfe000000);
	add_caps(&t, 1, 3);
	size_t body = t.len - 40;
	size_t start = 0;

	memcpy(ring, t.b + 40, body);
	memcpy(ring + body, t.b + 40, body);
	for (int i = 0; i < 8; i++) {
		memcpy(t.b + 40, ring + start, body);
		assert_int_equal(parse(&n, &t, NULL), 0);
		memset(now, 0, sizeof(now));
		nfit_print(&n, append_line, now);
		if (!i)
			memcpy(first, now, sizeof(now));
		assert_string_equal(first, now);
		start += ring[start + 2] | ring[start + 3] << 8;
		nfit_free(&n);
	}
	assert_int_equal(start, body);
}

/* A handle is node, socket, controller, channel and DIMM number, 12 + 4 * 4 bits. */
static void handle_is_decoded(void **state)
{
	(void)state;
	begin(&t);
	add_memdev(&t, 0xabc1234, 0, 0, 0);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.nr_dimms, 1);
	assert_int_equal(n.dimms[0].node, 0xabc);
	assert_int_equal(n.dimms[0].socket, 1);
	assert_int_equal(n.dimms[0].controller, 2);
	assert_int_equal(n.dimms[0].channel, 3);
	assert_int_equal(n.dimms[0].dimm, 4);
	nfit_free(&n);
}

/* Flag 8 makes the range read-only, and the text says so. */
static void not_armed_is_read_only(void **state)
{
	char text[128];

	(void)state;
	begin(&t);
	add_spa(&t, 2, 4 * GiB, 64 * MiB);
	put(add_memdev(&t, 1, 2, 3, 64 * MiB) + 44, 0x0008, 2);
	add_dcr(&t, 3, 7);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_true(range(&n, 2)->read_only);
	assert_int_equal(range(&n, 2)->verdict, NFIT_ACCEPTED);
	nfit_flags_text(range(&n, 2)->health, text, sizeof(text));
	assert_string_equal(text, "not armed");
	nfit_free(&n);
}

/* Every health bit has a name; none set is "healthy"; a short buffer is not overrun. */
static void flags_have_names(void **state)
{
	char text[128], tiny[8];

	(void)state;
	nfit_flags_text(0, text, sizeof(text));
	assert_string_equal(text, "healthy");
	nfit_flags_text(0x7f, text, sizeof(text));
	assert_string_equal(text, "save failed, restore failed, flush failed, not armed, "
				  "health event, health events enabled, mapping failed");
	nfit_flags_text(0x7f, tiny, sizeof(tiny));
	assert_string_equal(tiny, "save fa");
}

/* Capability bits decide the persistence domain: CPU beats controller, bits above "highest" do not
 * count. */
static void capabilities(void **state)
{
	static const struct {
		uint8_t highest;
		uint32_t caps;
		enum nfit_persistence want;
	} row[] = {
		{1, 3, NFIT_PERSIST_CPU},     {1, 2, NFIT_PERSIST_CONTROLLER},
		{2, 4, NFIT_PERSIST_UNKNOWN}, {0, 2, NFIT_PERSIST_UNKNOWN},
		{0, 3, NFIT_PERSIST_CPU},     {31, 2, NFIT_PERSIST_CONTROLLER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		begin(&t);
		add_caps(&t, row[i].highest, row[i].caps);
		assert_int_equal(parse(&n, &t, NULL), 0);
		assert_true(n.has_caps);
		assert_int_equal(n.persistence, row[i].want);
		nfit_free(&n);
	}
	begin(&t);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_false(n.has_caps);
	assert_string_equal(nfit_persistence_name(n.persistence), "unknown");
	nfit_free(&n);
}

/* Flush hints reach their DIMM, whatever was defined first. */
static void flush_hints(void **state)
{
	(void)state;
	begin(&t);
	add_flush(&t, 2, 3, 0xfe000000);
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
	add_qemu_dimm(&t, 1, 5 * GiB, 64 * MiB);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_null(range(&n, 2)->memdev->dimm->flush);
	const struct nfit_flush *f = range(&n, 4)->memdev->dimm->flush;

	assert_non_null(f);
	assert_int_equal(f->count, 3);
	assert_true(f->hints[0] == 0xfe000000 && f->hints[2] == 0xfe000080);
	nfit_free(&n);
}

/* A hint in RAM, at an odd address or at 0 is never given to anyone who would store to it. */
static void unusable_hints_are_dropped(void **state)
{
	static const struct nfit_range ram = {0x100000, 512 * MiB};
	static const struct nfit_env env = {.ram = &ram, .nr_ram = 1};
	uint8_t *f;

	(void)state;
	begin(&t);
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
	f = add_flush(&t, 1, 4, 0xfe000000);
	put(f + 16, 0x200000, 8);
	put(f + 24, 0xfe000004, 8);
	put(f + 32, 0, 8);
	assert_int_equal(parse(&n, &t, &env), 0);
	assert_int_equal(n.dimms[0].flush->count, 1);
	assert_true(n.dimms[0].flush->hints[0] == 0xfe0000c0);
	assert_true(warned(&n, "0x200000"));
	nfit_free(&n);
}

/* A location cookie lengthens the structure to 64 bytes and is read. */
static void location_cookie(void **state)
{
	uint8_t *s;

	(void)state;
	begin(&t);
	s = add_spa(&t, 1, 4 * GiB, 64 * MiB);
	add(&t, 0, 8); /* eight more bytes */
	put(s + 2, 64, 2);
	put(s + 6, 4, 2); /* bit 2, and no other */
	put(s + 56, 0x1122334455667788, 8);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_true(range(&n, 1)->has_location && !range(&n, 1)->has_proximity);
	assert_true(range(&n, 1)->location == 0x1122334455667788);
	nfit_free(&n);
}

/* Proximity counts only when its flag says so. */
static void proximity(void **state)
{
	uint8_t *s;

	(void)state;
	begin(&t);
	s = add_spa(&t, 1, 4 * GiB, 64 * MiB);
	put(s + 6, 2, 2); /* bit 1, and no other */
	put(s + 12, 2, 4);
	put(add_spa(&t, 2, 5 * GiB, 64 * MiB) + 6, 1, 2);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_true(range(&n, 1)->has_proximity);
	assert_int_equal(range(&n, 1)->proximity, 2);
	assert_false(range(&n, 2)->has_proximity);
	nfit_free(&n);
}

/* Volatile memory is accepted but is no persistent range; control regions are not memory at all. */
static void kinds_of_range(void **state)
{
	(void)state;
	begin(&t);
	memcpy(add_spa(&t, 1, 4 * GiB, 64 * MiB) + 16, guid_volatile, 16);
	memcpy(add_spa(&t, 2, 5 * GiB, 0) + 16, guid_control, 16);
	memset(add_spa(&t, 3, 6 * GiB, 64 * MiB) + 16, 0xee, 16);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(range(&n, 1)->verdict, NFIT_ACCEPTED);
	assert_int_equal(range(&n, 2)->verdict, NFIT_IGNORED);
	assert_int_equal(range(&n, 3)->kind, NFIT_KIND_UNKNOWN);
	assert_int_equal(range(&n, 3)->verdict, NFIT_IGNORED);
	assert_null(nfit_next(&n, NULL));
	nfit_free(&n);
}

/* The other GUIDs of the specification, as text would write them, are told apart. */
static void every_guid(void **state)
{
	static const struct {
		uint32_t a;
		uint16_t b, c;
		uint8_t d[8];
		enum nfit_kind want;
	} row[] = {
		{0x91af0530,
		 0x5d86,
		 0x470e,
		 {0xa6, 0xb0, 0x0a, 0x2d, 0xb9, 0x40, 0x82, 0x49},
		 NFIT_KIND_BDW},
		{0x77ab535a,
		 0x45fc,
		 0x624b,
		 {0x55, 0x60, 0xf7, 0xb2, 0x81, 0xd1, 0xf9, 0x6e},
		 NFIT_KIND_VOLATILE_DISK},
		{0x3d5abd30,
		 0x4175,
		 0x87ce,
		 {0x6d, 0x64, 0xd2, 0xad, 0xe5, 0x23, 0xc4, 0xbb},
		 NFIT_KIND_VOLATILE_CD},
		{0x5cea02c9,
		 0x4d07,
		 0x69d3,
		 {0x26, 0x9f, 0x44, 0x96, 0xfb, 0xe0, 0x96, 0xf9},
		 NFIT_KIND_PERSISTENT_DISK},
		{0x08018188,
		 0x42cd,
		 0xbb48,
		 {0x10, 0x0f, 0x53, 0x87, 0xd5, 0x3d, 0xed, 0x3d},
		 NFIT_KIND_PERSISTENT_CD},
		{0x7305944f,
		 0xfdda,
		 0x44e3,
		 {0xb1, 0x6c, 0x3f, 0x22, 0xd2, 0x52, 0xe5, 0xd0},
		 NFIT_KIND_VOLATILE},
		{0x92f701f6,
		 0x13b4,
		 0x405d,
		 {0x91, 0x0b, 0x29, 0x93, 0x67, 0xe8, 0x23, 0x4c},
		 NFIT_KIND_CONTROL},
		{0x66f0d379,
		 0xb4f3,
		 0x4074,
		 {0xac, 0x43, 0x0d, 0x33, 0x18, 0xb7, 0x8c, 0xdb},
		 NFIT_KIND_PM},
	};

	(void)state;
	begin(&t);
	for (uint16_t i = 0; i < 8; i++) {
		uint8_t *s = add_spa(&t, (uint16_t)(i + 1), (4 + i) * GiB, 64 * MiB);

		put(s + 16, row[i].a, 4);
		put(s + 20, row[i].b, 2);
		put(s + 22, row[i].c, 2);
		memcpy(s + 24, row[i].d, 8);
	}
	assert_int_equal(parse(&n, &t, NULL), 0);
	for (uint16_t i = 0; i < 8; i++)
		assert_int_equal(range(&n, (uint16_t)(i + 1))->kind, row[i].want);
	nfit_free(&n);
}

/* A control region with block windows is read to its end; without, 32 bytes are enough. */
static void control_regions(void **state)
{
	uint8_t *d;

	(void)state;
	begin(&t);
	d = add_dcr(&t, 1, 42);
	put(d + 30, 2, 2);
	put(d + 32, 0x2000, 8);
	put(d + 72, 1, 2);
	d = add(&t, 4, 32);
	put(d + 4, 2, 2);
	put(d + 24, 43, 4);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.nr_dcrs, 2);
	assert_int_equal(n.dcrs[0].windows, 2);
	assert_int_equal(n.dcrs[0].window_size, 0x2000);
	assert_int_equal(n.dcrs[0].flags, 1);
	assert_int_equal(n.dcrs[1].serial, 43);
	nfit_free(&n);
}

/* Legacy block windows and SMBIOS structures are read and change nothing. */
static void legacy_structures(void **state)
{
	uint8_t *s;

	(void)state;
	begin(&t);
	s = add(&t, 5, 40);
	put(s + 4, 3, 2);
	put(s + 24, 0x4000, 8);
	add(&t, 3, 24);
	add_qemu_dimm(&t, 0, 4 * GiB, 64 * MiB);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.nr_bdws, 1);
	assert_int_equal(n.bdws[0].capacity, 0x4000);
	assert_int_equal(n.nr_smbios, 1);
	assert_int_equal(range(&n, 2)->verdict, NFIT_ACCEPTED);
	nfit_free(&n);
}

/* The print-out names range, DIMM, serial, node, domain and each flush hint. */
static void print_says_it_all(void **state)
{
	static char text[8192];

	(void)state;
	begin(&t);
	add_qemu_dimm(&t, 0, 4 * GiB, 0x1fe00000);
	add_flush(&t, 1, 1, 0xfe000000);
	add_caps(&t, 1, 3);
	assert_int_equal(parse(&n, &t, NULL), 0);
	memset(text, 0, sizeof(text));
	nfit_print(&n, append_line, text);
	assert_contains(text, "NFIT #1: accepted: 1 of 1 ranges usable, 1 DIMM, ");
	assert_contains(text,
			"persistent memory, base 0x100000000 length 0x1fe00000 (510 MiB), node 0");
	assert_contains(text, "(WB|NV)");
	assert_contains(text, "serial 0x00123456");
	assert_contains(text, "flush hint 0xfe000000");
	assert_contains(text, "persistence domain: CPU caches flushed on power loss");
	nfit_free(&n);
}

/* A field and what stands in the table at its place. */
static void expect_field(const char *name, uint64_t field, const uint8_t *s, unsigned int bytes)
{
	uint64_t want = 0;

	while (bytes--)
		want = want << 8 | s[bytes];
	if (field != want)
		fail_msg("%s is 0x%llx, in the table 0x%llx", name, (unsigned long long)field,
			 (unsigned long long)want);
}

#define FIELD(p, name, at, bytes) expect_field(#name, (p)->name, s + (at), bytes)

/* A structure in which no two bytes are alike, but for the flags: each field is read from its
 * place. */
static const uint8_t *add_counting(uint16_t type, uint16_t len)
{
	uint8_t *s = add(&t, type, len);

	for (uint16_t i = 4; i < len; i++)
		s[i] = (uint8_t)(0x81 + i);
	if (!type)
		put(s + 6, 6, 2);
	return s;
}

static void every_field_of_a_range(void **state)
{
	const uint8_t *s;
	const struct nfit_spa *p;

	(void)state;
	begin(&t);
	s = add_counting(0, 64);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.nr_spas, 1);
	p = &n.spas[0];
	FIELD(p, index, 4, 2);
	FIELD(p, flags, 6, 2);
	FIELD(p, proximity, 12, 4);
	assert_memory_equal(p->guid, s + 16, 16);
	FIELD(p, base, 32, 8);
	FIELD(p, length, 40, 8);
	FIELD(p, attributes, 48, 8);
	FIELD(p, location, 56, 8);
	assert_true(p->table == &n && p->has_proximity && p->has_location);
	nfit_free(&n);
}

static void every_field_of_a_dimms_part(void **state)
{
	const uint8_t *s;
	const struct nfit_memdev *m;

	(void)state;
	begin(&t);
	s = add_counting(1, 48);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.nr_memdevs, 1);
	m = &n.memdevs[0];
	FIELD(m, handle, 4, 4);
	FIELD(m, physical_id, 8, 2);
	FIELD(m, region_id, 10, 2);
	FIELD(m, range_index, 12, 2);
	FIELD(m, dcr_index, 14, 2);
	FIELD(m, region_size, 16, 8);
	FIELD(m, region_offset, 24, 8);
	FIELD(m, dpa, 32, 8);
	FIELD(m, interleave_index, 40, 2);
	FIELD(m, ways, 42, 2);
	FIELD(m, flags, 44, 2);
	assert_int_equal(n.dimms[0].physical_id, m->physical_id);
	nfit_free(&n);
}

/* An empty table is fine: there may be DIMMs later. */
static void empty_table(void **state)
{
	(void)state;
	begin(&t);
	assert_int_equal(parse(&n, &t, NULL), 0);
	assert_int_equal(n.verdict, NFIT_ACCEPTED);
	assert_int_equal(n.nr_records, 0);
	assert_null(nfit_next(&n, NULL));
	nfit_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_one_dimm),
		cmocka_unit_test(sixteen_tib),
		cmocka_unit_test(eight_dimms_by_address),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(handle_is_decoded),
		cmocka_unit_test(not_armed_is_read_only),
		cmocka_unit_test(flags_have_names),
		cmocka_unit_test(capabilities),
		cmocka_unit_test(flush_hints),
		cmocka_unit_test(unusable_hints_are_dropped),
		cmocka_unit_test(location_cookie),
		cmocka_unit_test(proximity),
		cmocka_unit_test(kinds_of_range),
		cmocka_unit_test(every_guid),
		cmocka_unit_test(control_regions),
		cmocka_unit_test(legacy_structures),
		cmocka_unit_test(print_says_it_all),
		cmocka_unit_test(every_field_of_a_range),
		cmocka_unit_test(every_field_of_a_dimms_part),
		cmocka_unit_test(empty_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
