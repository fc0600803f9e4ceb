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
		cmocka_unit_test(control_regions),
		cmocka_unit_test(legacy_structures),
		cmocka_unit_test(print_says_it_all),
		cmocka_unit_test(empty_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
