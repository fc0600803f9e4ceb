/* SPDX-License-Identifier: MIT */
/*
 * What the decoder of an NFIT reads, field by field: each from its place, and the kind of a range
 * from its GUID.
 */
/* LINK: drivers/nfit/nfit.c drivers/nfit/nfit_frame.c */
/* LINK: drivers/nfit/nfit_decode.c drivers/nfit/nfit_resolve.c */
/* LINK: drivers/nfit/nfit_set.c drivers/nfit/nfit_print.c */
/* LINK: drivers/acpi/acpi_notes.c kernel/console/text.c */
#include "tests/host/test_nfit_build.h"

static struct table t;
static struct nfit n;

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

/* The GUIDs of the specification. */
static const struct {
	uint32_t a;
	uint16_t b, c;
	uint8_t d[8];
	enum nfit_kind want;
} guids[] = {
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

/* As text would write them, they are told apart. */
static void every_guid(void **state)
{
	(void)state;
	begin(&t);
	for (uint16_t i = 0; i < 8; i++) {
		uint8_t *s = add_spa(&t, (uint16_t)(i + 1), (4 + i) * GiB, 64 * MiB);

		put(s + 16, guids[i].a, 4);
		put(s + 20, guids[i].b, 2);
		put(s + 22, guids[i].c, 2);
		memcpy(s + 24, guids[i].d, 8);
	}
	assert_int_equal(parse(&n, &t, NULL), 0);
	for (uint16_t i = 0; i < 8; i++)
		assert_int_equal(range(&n, (uint16_t)(i + 1))->kind, guids[i].want);
	nfit_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_range),
		cmocka_unit_test(every_field_of_a_dimms_part),
		cmocka_unit_test(kinds_of_range),
		cmocka_unit_test(every_guid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
