/* SPDX-License-Identifier: MIT */
/*
 * MADT, FADT, \_S5, SRAT and MCFG from hand-made bytes, whole and damaged.
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

static uint8_t b[8192];
static size_t len;
static struct acpi_madt madt;
static struct acpi_srat srat;
static struct acpi_mcfg mcfg;
static struct acpi_fadt fadt;

static int fresh(void **state)
{
	(void)state;
	memset(b, 0, sizeof(b));
	len = 0;
	return 0;
}

static void put(size_t at, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		b[at + i] = (uint8_t)(v >> 8 * i);
}

/* A record {type, length} at the end; its offset. */
static size_t add(uint8_t type, uint8_t length)
{
	size_t at = len;

	b[at] = type;
	b[at + 1] = length;
	len += length;
	return at;
}

/* Run a decoder on an exactly sized copy. */
#define DECODE(fn, out)                                                                            \
	({                                                                                         \
		uint8_t *copy = malloc(len ? len : 1);                                             \
		memcpy(copy, b, len);                                                              \
		int err_ = fn(out, copy, len);                                                     \
		free(copy);                                                                        \
		err_;                                                                              \
	})

static bool noted(const struct notes *n, const char *part)
{
	for (unsigned int i = 0; i < n->nr; i++) {
		if (strstr(n->line[i], part))
			return true;
	}
	return false;
}

static void madt_begin(void)
{
	fresh(NULL);
	put(36, 0xfee00000, 4);
	put(40, 1, 4);
	len = 44;
}

static void madt_add_cpu(uint8_t uid, uint8_t apic_id, uint32_t flags)
{
	size_t at = add(0, 8);

	b[at + 2] = uid;
	b[at + 3] = apic_id;
	put(at + 4, flags, 4);
}

static void madt_cpus(void **state)
{
	(void)state;
	madt_begin();
	madt_add_cpu(0, 0, 1);
	madt_add_cpu(1, 4, 2);
	madt_add_cpu(2, 6, 0);
	assert_int_equal(DECODE(acpi_decode_madt, &madt), 0);
	assert_int_equal(madt.nr_cpus, 3);
	assert_true(madt.cpu[0].enabled && !madt.cpu[0].online_capable);
	assert_true(!madt.cpu[1].enabled && madt.cpu[1].online_capable);
	assert_true(!madt.cpu[2].enabled && !madt.cpu[2].online_capable);
	assert_int_equal(madt.cpu[1].apic_id, 4);
	assert_int_equal(madt.lapic, 0xfee00000);
	assert_true(madt.has_8259);
	assert_int_equal(madt.notes.nr, 0);
}

static void madt_ioapic_and_override(void **state)
{
	size_t at;

	(void)state;
	madt_begin();
	at = add(1, 12);
	b[at + 2] = 7;
	put(at + 4, 0xfec00000, 4);
	put(at + 8, 24, 4);
	at = add(2, 10);
	b[at + 3] = 9;
	put(at + 4, 20, 4);
	put(at + 8, 0xd, 2);
	assert_int_equal(DECODE(acpi_decode_madt, &madt), 0);
	assert_int_equal(madt.nr_ioapics, 1);
	assert_int_equal(madt.ioapic[0].id, 7);
	assert_int_equal(madt.ioapic[0].phys, 0xfec00000);
	assert_int_equal(madt.ioapic[0].gsi_base, 24);
	assert_int_equal(madt.override[0].irq, 9);
	assert_int_equal(madt.override[0].gsi, 20);
	assert_int_equal(madt.override[0].flags, 0xd);
}

static void madt_lapic_override(void **state)
{
	(void)state;
	madt_begin();
	put(add(5, 12) + 4, 0x1fee00000, 8);
	assert_int_equal(DECODE(acpi_decode_madt, &madt), 0);
	assert_true(madt.lapic == 0x1fee00000);
}

/* An x2APIC entry that an xAPIC can reach is a CPU like others; one it cannot reach is refused. */
static void madt_x2apic(void **state)
{
	static const uint32_t ids[] = {3, 254, 255, 256, 0x80000000};

	(void)state;
	madt_begin();
	for (size_t i = 0; i < 5; i++) {
		size_t at = add(9, 16);

		put(at + 4, ids[i], 4);
		put(at + 8, 1, 4);
		put(at + 12, i, 4);
	}
	assert_int_equal(DECODE(acpi_decode_madt, &madt), 0);
	assert_int_equal(madt.nr_cpus, 2);
	assert_int_equal(madt.refused, 3);
	assert_true(noted(&madt.notes, "APIC id 256 refused"));
}

static void madt_same_cpu_twice(void **state)
{
	(void)state;
	madt_begin();
	madt_add_cpu(0, 5, 1);
	madt_add_cpu(1, 5, 1);
	assert_int_equal(DECODE(acpi_decode_madt, &madt), 0);
	assert_int_equal(madt.nr_cpus, 1);
	assert_true(noted(&madt.notes, "listed twice"));
}

/* Length 0 would make a careless walk endless; a length past the end would leave the table. */
static void madt_bad_record_lengths(void **state)
{
	static const uint8_t bad[] = {0, 1, 9};

	(void)state;
	for (int i = 0; i < 3; i++) {
		madt_begin();
		madt_add_cpu(0, 0, 1);
		madt_add_cpu(1, 1, 1);
		b[44 + 8 + 1] = bad[i];
		assert_int_equal(DECODE(acpi_decode_madt, &madt), 0);
		assert_int_equal(madt.nr_cpus, 1);
		assert_true(noted(&madt.notes, "walk stopped"));
	}
}

/* A record too short for its type is skipped by its own length. */
static void madt_short_record(void **state)
{
	(void)state;
	madt_begin();
	add(1, 8);
	madt_add_cpu(0, 3, 1);
	assert_int_equal(DECODE(acpi_decode_madt, &madt), 0);
	assert_int_equal(madt.nr_ioapics, 0);
	assert_int_equal(madt.nr_cpus, 1);
	assert_true(noted(&madt.notes, "type 1 has length 8 (expected 12)"));
}

static void too_short_for_their_headers(void **state)
{
	(void)state;
	fresh(NULL);
	for (len = 36; len < 116; len++)
		assert_int_equal(DECODE(acpi_decode_fadt, &fadt), -EINVAL);
	len = 43;
	assert_int_equal(DECODE(acpi_decode_madt, &madt), -EINVAL);
	assert_int_equal(DECODE(acpi_decode_mcfg, &mcfg), -EINVAL);
	len = 47;
	assert_int_equal(DECODE(acpi_decode_srat, &srat), -EINVAL);
}

/* QEMU's q35 values in an ACPI 1.0 sized table. */
static void fadt_of_acpi_1(void **state)
{
	(void)state;
	fresh(NULL);
	len = 116;
	put(40, 0x1ffe0040, 4);
	put(46, 9, 2);
	put(64, 0x604, 4);
	put(76, 0x608, 4);
	put(112, 0x84a5, 4);
	assert_int_equal(DECODE(acpi_decode_fadt, &fadt), 0);
	assert_int_equal(fadt.dsdt, 0x1ffe0040);
	assert_int_equal(fadt.sci, 9);
	assert_int_equal(fadt.pm1a_cnt, 0x604);
	assert_int_equal(fadt.pm1b_cnt, 0);
	assert_int_equal(fadt.pm_timer, 0x608);
	assert_false(fadt.pm_timer_32);
	assert_false(fadt.has_reset); /* promised by flag bit 10, but the table ends before */
	assert_int_equal(acpi_sleep_value(0), 0x2000);
	assert_int_equal(acpi_sleep_value(5), 0x3400);
}

/* The 64-bit fields win where they are there and not zero. */
static void fadt_of_acpi_2(void **state)
{
	(void)state;
	fresh(NULL);
	len = 244;
	put(40, 0x1000, 4);
	put(140, 0x123456000, 8);
	put(64, 0x404, 4);
	b[172] = 1;
	put(176, 0x604, 8);
	put(112, 1u << 10 | 1u << 8 | 1u << 20, 4);
	b[116] = 1;
	put(120, 0xcf9, 8);
	b[128] = 0xf;
	assert_int_equal(DECODE(acpi_decode_fadt, &fadt), 0);
	assert_true(fadt.dsdt == 0x123456000);
	assert_int_equal(fadt.pm1a_cnt, 0x604);
	assert_true(fadt.pm_timer_32 && fadt.hw_reduced && fadt.has_reset);
	assert_int_equal(fadt.reset_reg, 0xcf9);
	assert_int_equal(fadt.reset_value, 0xf);
	b[116] = 9;
	assert_int_equal(DECODE(acpi_decode_fadt, &fadt), 0);
	assert_false(fadt.has_reset);
}

static int find_s5(const char *aml, size_t size, uint8_t *a, uint8_t *c)
{
	uint8_t *copy = malloc(size ? size : 1);
	int err;

	memcpy(copy, aml, size);
	err = acpi_find_s5(copy, size, a, c);
	free(copy);
	return err;
}
#define FIND_S5(text) find_s5(text, sizeof(text) - 1, &a, &c)

/* The ways compilers write the package: zeros, bytes, root prefix, two-byte package length. */
static void s5_packages(void **state)
{
	uint8_t a = 9, c = 9;

	(void)state;
	assert_int_equal(FIND_S5("\x08_S5_\x12\x06\x04\x00\x00\x00\x00"), 0);
	assert_int_equal(a, 0);
	assert_int_equal(FIND_S5("xx\x08\\_S5_\x12\x08\x04\x0a\x05\x0a\x07\x00\x00"), 0);
	assert_int_equal(a, 5);
	assert_int_equal(c, 7);
	assert_int_equal(FIND_S5("\x08_S5_\x12\x46\x01\x04\x01\x0b\x02\x00"), 0);
	assert_int_equal(a, 1);
	assert_int_equal(c, 2);
	assert_int_equal(FIND_S5("\x08_S5_\x12\x04\x01\x0a\x03"), 0);
	assert_int_equal(a, 3);
	assert_int_equal(c, 0);
}

/* Not a package, cut short, values out of range, the name inside another: errors, never a guess. */
static void s5_refusals(void **state)
{
	uint8_t a, c;

	(void)state;
	assert_int_equal(FIND_S5(""), -ENOENT);
	assert_int_equal(FIND_S5("\x08_S4_\x12\x06\x04\x00\x00\x00\x00"), -ENOENT);
	assert_int_equal(FIND_S5("\x10_S5_\x12\x06\x04\x00\x00\x00\x00"), -ENOENT);
	assert_int_equal(FIND_S5("\x08_S5_"), -EINVAL);
	assert_int_equal(FIND_S5("\x08_S5_\x12\x06"), -EINVAL);
	assert_int_equal(FIND_S5("\x08_S5_\x12\xc6\x01"), -EINVAL);
	assert_int_equal(FIND_S5("\x08_S5_\x12\x06\x04\x0a"), -EINVAL);
	assert_int_equal(FIND_S5("\x08_S5_\x12\x06\x02\x0a\x08\x00"), -EINVAL);
	assert_int_equal(FIND_S5("\x08_S5_\x0a\x05\x00\x00"), -EINVAL);
	assert_int_equal(FIND_S5("\x08_S5_\x12\x06\x00\x00\x00"), -EINVAL);
}

/* The first \_S5 is damaged, a later one is whole: it is found. */
static void s5_second_try(void **state)
{
	uint8_t a, c;

	(void)state;
	assert_int_equal(FIND_S5("\x08_S5_\x70\x00\x08_S5_\x12\x06\x02\x01\x01"), 0);
	assert_int_equal(a, 1);
}

static size_t srat_memory(uint32_t node, uint64_t base, uint64_t size, uint32_t flags)
{
	size_t at = add(1, 40);

	put(at + 2, node, 4);
	put(at + 8, base, 8);
	put(at + 16, size, 8);
	put(at + 28, flags, 4);
	return at;
}

static void srat_memory_flags(void **state)
{
	(void)state;
	fresh(NULL);
	len = 48;
	srat_memory(0, 0, 0xa0000, 1);
	srat_memory(1, 0x100000000, 0x40000000, 5);
	srat_memory(2, 0x200000000, 0x40000000, 3);
	srat_memory(3, 0x300000000, 0x40000000, 4); /* not enabled */
	assert_int_equal(DECODE(acpi_decode_srat, &srat), 0);
	assert_int_equal(srat.nr_mem, 3);
	assert_true(srat.mem[1].nonvolatile && !srat.mem[1].hotplug && srat.mem[1].node == 1);
	assert_true(srat.mem[2].hotplug && !srat.mem[2].nonvolatile);
}

static void srat_bad_ranges(void **state)
{
	(void)state;
	fresh(NULL);
	len = 48;
	srat_memory(0, 0x1000, 0, 1);
	srat_memory(0, 0xffffffffffff0000, 0x20000, 1);
	srat_memory(0, 0x1000, 0x1000, 1);
	assert_int_equal(DECODE(acpi_decode_srat, &srat), 0);
	assert_int_equal(srat.nr_mem, 1);
	assert_int_equal(srat.notes.nr, 2);
}

/* The node of an old entry is spread over two places; x2APIC entries have it in one. */
static void srat_cpus(void **state)
{
	size_t at;

	(void)state;
	fresh(NULL);
	len = 48;
	at = add(0, 16);
	b[at + 2] = 0x44;
	b[at + 3] = 6;
	put(at + 4, 1, 4);
	put(at + 8, 0x11223399, 4); /* low byte: SAPIC EID, not ours */
	at = add(2, 24);
	put(at + 4, 7, 4);
	put(at + 8, 300, 4);
	put(at + 12, 1, 4);
	assert_int_equal(DECODE(acpi_decode_srat, &srat), 0);
	assert_int_equal(srat.nr_cpus, 2);
	assert_int_equal(srat.cpu[0].apic_id, 6);
	assert_int_equal(srat.cpu[0].node, 0x11223344);
	assert_int_equal(srat.cpu[1].apic_id, 300);
	assert_int_equal(srat.cpu[1].node, 7);
}

static void mcfg_segments(void **state)
{
	(void)state;
	fresh(NULL);
	put(44, 0xb0000000, 8);
	b[44 + 11] = 255;
	put(60, 0x40000000, 8);
	put(68, 1, 2);
	b[70] = 4;
	b[71] = 3;		/* ends before it starts */
	put(76, 0x50000800, 8); /* not 1 MiB aligned */
	len = 92 + 7;		/* and half an entry */
	assert_int_equal(DECODE(acpi_decode_mcfg, &mcfg), 0);
	assert_int_equal(mcfg.nr, 1);
	assert_int_equal(mcfg.ecam[0].base, 0xb0000000);
	assert_int_equal(mcfg.ecam[0].end_bus, 255);
	assert_int_equal(mcfg.notes.nr, 2);
}

/* Any bytes, any length: decoders stay inside the table and inside their arrays. */
static void noise(void **state)
{
	uint32_t r = 99;
	uint8_t x, y;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		len = (r >> 9) % 700;
		for (size_t i = 0; i < len; i++) {
			r = r * 1664525 + 1013904223;
			b[i] = (uint8_t)(r >> 24) & (round & 1 ? 0xff : 0x0f);
		}
		DECODE(acpi_decode_madt, &madt);
		DECODE(acpi_decode_srat, &srat);
		DECODE(acpi_decode_mcfg, &mcfg);
		DECODE(acpi_decode_fadt, &fadt);
		find_s5((const char *)b, len, &x, &y);
		assert_true(madt.nr_cpus <= ACPI_MAX_CPUS && madt.nr_ioapics <= ACPI_MAX_IOAPICS);
		assert_true(srat.nr_mem <= ACPI_MAX_AFFINITY && mcfg.nr <= ACPI_MAX_ECAM);
		for (unsigned int i = 0; i < madt.nr_cpus; i++)
			assert_true(madt.cpu[i].apic_id < 255);
	}
}

/* Complaints beyond the room for them are counted, not written. */
static void notes_overflow(void **state)
{
	(void)state;
	madt_begin();
	for (int i = 0; i < 40; i++)
		add(1, 4);
	assert_int_equal(DECODE(acpi_decode_madt, &madt), 0);
	assert_int_equal(madt.notes.nr, NOTES_MAX);
	assert_int_equal(madt.notes.dropped, 40 - NOTES_MAX);
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(madt_cpus),	   TEST(madt_ioapic_and_override),
		TEST(madt_lapic_override), TEST(madt_x2apic),
		TEST(madt_same_cpu_twice), TEST(madt_bad_record_lengths),
		TEST(madt_short_record),   TEST(too_short_for_their_headers),
		TEST(fadt_of_acpi_1),	   TEST(fadt_of_acpi_2),
		TEST(s5_packages),	   TEST(s5_refusals),
		TEST(s5_second_try),	   TEST(srat_memory_flags),
		TEST(srat_bad_ranges),	   TEST(srat_cpus),
		TEST(mcfg_segments),	   TEST(noise),
		TEST(notes_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
