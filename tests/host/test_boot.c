/* SPDX-License-Identifier: MIT */
/*
 * The hand-overs of boot/, fed with hand-made memory: what a loader leaves becomes a struct
 * boot_info, and what a broken loader leaves becomes a sentence, never a wild read.
 *
 * "Physical memory" is a 64 KiB array that starts at PHYS; boot_phys() refuses everything else, and
 * the array ends at a guard of the address sanitizer.
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

/* LINK: boot/ranges.c boot/rsdp.c boot/pvh.c boot/multiboot2.c boot/handover.c */

#define PHYS	  0xe0000ull /* so that the BIOS area of the RSDP scan is inside */
#define PHYS_SIZE 0x20000ull
#define INFO	  (PHYS + 0x1000)

static uint8_t *memory;
static struct boot_info bi;

const void *boot_phys(uint64_t addr, uint64_t len)
{
	if (addr < PHYS || addr >= PHYS + PHYS_SIZE || len > PHYS + PHYS_SIZE - addr)
		return NULL;
	return memory + (addr - PHYS);
}

void boot_puts(const char *s)
{
	(void)s;
}

static int setup(void **state)
{
	(void)state;
	memory = calloc(1, PHYS_SIZE);
	memset(&bi, 0, sizeof(bi));
	return memory ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static void *at(uint64_t addr)
{
	return memory + (addr - PHYS);
}

static void put32(uint64_t addr, uint32_t value)
{
	memcpy(at(addr), &value, 4);
}

static void put64(uint64_t addr, uint64_t value)
{
	memcpy(at(addr), &value, 8);
}

static void expect_range(uint32_t i, uint64_t base, uint64_t len, uint32_t type)
{
	assert_true(i < bi.nr_ranges);
	assert_int_equal(bi.ranges[i].base, base);
	assert_int_equal(bi.ranges[i].len, len);
	assert_int_equal(bi.ranges[i].type, type);
}

/* ---- RSDP ---- */

static void make_rsdp(uint64_t addr, uint8_t revision)
{
	uint8_t *p = at(addr), sum = 0;

	memcpy(p, "RSD PTR ", 8);
	p[15] = revision;
	put32(addr + 20, 36);
	for (int i = 0; i < 20; i++)
		sum += p[i];
	p[8] = (uint8_t)-sum;
	sum = 0;
	for (int i = 0; i < 36; i++)
		sum += p[i];
	p[32] = (uint8_t)-sum;
}

static void rsdp_of_both_revisions_is_found(void **state)
{
	(void)state;
	make_rsdp(0xf1230, 0);
	assert_int_equal(boot_scan_rsdp(), 0xf1230);
	make_rsdp(0xe0040, 2);
	assert_int_equal(boot_scan_rsdp(), 0xe0040);
}

static void rsdp_with_a_wrong_checksum_is_passed_over(void **state)
{
	(void)state;
	make_rsdp(0xe0040, 2);
	((uint8_t *)at(0xe0040))[33] ^= 1; /* only the extended checksum covers it */
	assert_int_equal(boot_scan_rsdp(), 0);
	make_rsdp(0xe1000, 0);
	((uint8_t *)at(0xe1000))[10] ^= 1;
	assert_int_equal(boot_scan_rsdp(), 0);
}

static void rsdp_longer_than_what_may_be_read_is_passed_over(void **state)
{
	(void)state;
	make_rsdp(0xe0040, 2);
	put32(0xe0040 + 20, 0xffffffff);
	assert_int_equal(boot_scan_rsdp(), 0);
	put32(0xe0040 + 20, 35);
	assert_int_equal(boot_scan_rsdp(), 0);
}

static void rsdp_at_the_very_end_does_not_read_past_it(void **state)
{
	(void)state;
	make_rsdp(0xf0000, 2);
	memmove(at(0xffff0 - 16), at(0xf0000), 32);
	memset(at(0xf0000), 0, 36);
	assert_int_equal(boot_scan_rsdp(), 0);
}

/* ---- PVH ---- */

static void make_pvh(void)
{
	put32(INFO, 0x336ec578);
	put32(INFO + 4, 1);
	put64(INFO + 24, INFO + 0x100);
	put64(INFO + 32, 0xf59e0);
	put64(INFO + 40, INFO + 0x200);
	put32(INFO + 48, 2);
	memcpy(at(INFO + 0x100), "a=1 b", 6);
	put64(INFO + 0x200, 0);
	put64(INFO + 0x208, 0x9f000);
	put32(INFO + 0x210, BOOT_RAM);
	put64(INFO + 0x218, 0x100000);
	put64(INFO + 0x220, 0x10000);
	put32(INFO + 0x228, BOOT_ACPI);
}

static void pvh_is_taken_over(void **state)
{
	(void)state;
	make_pvh();
	assert_null(boot_parse_pvh(INFO, &bi));
	assert_string_equal(bi.path, "direct");
	assert_string_equal(bi.cmdline, "a=1 b");
	assert_int_equal(bi.rsdp, 0xf59e0);
	assert_int_equal(bi.nr_ranges, 2);
	expect_range(1, 0x100000, 0x10000, BOOT_ACPI);
}

static void pvh_nonsense_is_refused(void **state)
{
	(void)state;
	assert_non_null(boot_parse_pvh(8, &bi));
	assert_non_null(boot_parse_pvh(INFO, &bi)); /* no magic */
	make_pvh();
	put32(INFO + 4, 0);
	assert_non_null(boot_parse_pvh(INFO, &bi));
	make_pvh();
	put32(INFO + 48, 0);
	assert_non_null(boot_parse_pvh(INFO, &bi));
	put32(INFO + 48, 0xffffffff);
	assert_non_null(boot_parse_pvh(INFO, &bi));
	make_pvh();
	put64(INFO + 40, PHYS + PHYS_SIZE - 40); /* the second entry would lie outside */
	assert_non_null(boot_parse_pvh(INFO, &bi));
}

static void a_long_command_line_is_cut_and_closed(void **state)
{
	(void)state;
	make_pvh();
	put64(INFO + 24, PHYS + PHYS_SIZE - 3000);
	memset(at(PHYS + PHYS_SIZE - 3000), 'x', 3000);
	assert_null(boot_parse_pvh(INFO, &bi));
	assert_int_equal(strlen(bi.cmdline), BOOT_CMDLINE - 1);
	put64(INFO + 24, PHYS + PHYS_SIZE - 5); /* memory ends before the string does */
	assert_null(boot_parse_pvh(INFO, &bi));
	assert_string_equal(bi.cmdline, "xxxxx");
}

/* ---- multiboot2 ---- */

static uint64_t tag(uint64_t addr, uint32_t type, uint32_t size)
{
	put32(addr, type);
	put32(addr + 4, size);
	return addr + ((size + 7) & ~7ull);
}

/* Command line, memory map, framebuffer, RSDP of both kinds, EFI system table, end. Its length. */
static uint32_t make_mb2(void)
{
	uint64_t p = INFO + 8, fb;

	memcpy(at(p + 8), "a=1 b", 6);
	p = tag(p, 1, 14);
	put32(p + 8, 24);
	put64(p + 16, 0x100000);
	put64(p + 24, 0x10000);
	put32(p + 32, BOOT_RAM);
	p = tag(p, 6, 40);
	fb = p;
	put64(fb + 8, 0xfd000000);
	put32(fb + 16, 4096);
	put32(fb + 20, 1024);
	put32(fb + 24, 768);
	memcpy(at(fb + 28), (uint8_t[]){32, 1, 0, 0, 16, 8, 8, 8, 0, 8}, 10);
	p = tag(p, 8, 38);
	make_rsdp(p + 8, 2);
	p = tag(p, 15, 44);
	make_rsdp(p + 8, 0);
	p = tag(p, 14, 28);
	p = tag(p, 12, 16);
	p = tag(p, 0, 8);
	put32(INFO, (uint32_t)(p - INFO));
	return (uint32_t)(p - INFO);
}

static void multiboot2_is_taken_over(void **state)
{
	(void)state;
	make_mb2();
	assert_null(boot_parse_multiboot2(INFO, &bi));
	assert_string_equal(bi.path, "grub-uefi");
	assert_string_equal(bi.cmdline, "a=1 b");
	assert_int_equal(bi.nr_ranges, 1);
	expect_range(0, 0x100000, 0x10000, BOOT_RAM);
	assert_int_equal(bi.fb.phys, 0xfd000000);
	assert_int_equal(bi.fb.pitch, 4096);
	assert_true(bi.rsdp != 0);
	assert_true(boot_rsdp_valid((void *)(uintptr_t)(bi.rsdp + KERNEL_BASE), 36));
}

static void multiboot2_without_efi_is_grub(void **state)
{
	(void)state;
	tag(INFO + 8, 0, 8);
	put32(INFO, 16);
	assert_null(boot_parse_multiboot2(INFO, &bi));
	assert_string_equal(bi.path, "grub");
}

static void multiboot2_tags_past_the_end_are_refused(void **state)
{
	uint32_t size = make_mb2();

	(void)state;
	assert_non_null(boot_parse_multiboot2(INFO + 4, &bi));
	assert_non_null(boot_parse_multiboot2(PHYS + PHYS_SIZE - 4, &bi));
	for (uint32_t total = 0; total < size; total++) { /* cut short everywhere */
		put32(INFO, total);
		assert_non_null(boot_parse_multiboot2(INFO, &bi));
	}
	make_mb2();
	put32(INFO + 12, 4); /* a tag shorter than its own head */
	assert_non_null(boot_parse_multiboot2(INFO, &bi));
	put32(INFO, 0xffffffff);
	assert_non_null(boot_parse_multiboot2(INFO, &bi));
}

static void multiboot2_memory_map_with_odd_entries_is_refused(void **state)
{
	static const uint32_t sizes[] = {0, 8, 20, 23, 25};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		make_mb2();
		put32(INFO + 24 + 8, sizes[i]);
		assert_non_null(boot_parse_multiboot2(INFO, &bi));
	}
}

static void a_text_mode_framebuffer_is_none(void **state)
{
	(void)state;
	make_mb2();
	((uint8_t *)at(INFO + 24 + 40 + 29))[0] = 2;
	assert_null(boot_parse_multiboot2(INFO, &bi));
	assert_int_equal(bi.fb.phys, 0);
}

/* ---- our EFI loader ---- */

static void efi_hand_over_is_copied_and_closed(void **state)
{
	struct boot_info *from = at(INFO);

	(void)state;
	from->magic = BOOT_MAGIC;
	from->nr_ranges = 1;
	from->ranges[0] = (struct boot_range){0x1000, 0x1000, BOOT_RAM, 0};
	memset(from->cmdline, 'x', sizeof(from->cmdline));
	memset(from->path, 'x', sizeof(from->path));
	assert_null(boot_parse_efi(INFO, &bi));
	assert_int_equal(strlen(bi.cmdline), BOOT_CMDLINE - 1);
	assert_int_equal(strlen(bi.path), sizeof(bi.path) - 1);
	expect_range(0, 0x1000, 0x1000, BOOT_RAM);
}

/* A loader that does not count well: no range reaches past the last address or is empty. */
static void efi_ranges_are_cut_like_all_others(void **state)
{
	struct boot_info *from = at(INFO);

	(void)state;
	from->magic = BOOT_MAGIC;
	from->nr_ranges = 3;
	from->ranges_dropped = 7;
	from->ranges[0] = (struct boot_range){0x1000, 0x1000, BOOT_RAM, 0};
	from->ranges[1] = (struct boot_range){0x9000, 0, BOOT_RAM, 0};
	from->ranges[2] = (struct boot_range){UINT64_MAX - 0x1000, 0x5000, BOOT_RESERVED, 0};
	assert_null(boot_parse_efi(INFO, &bi));
	assert_int_equal(bi.nr_ranges, 2);
	assert_int_equal(bi.ranges_dropped, 7);
	expect_range(0, 0x1000, 0x1000, BOOT_RAM);
	expect_range(1, UINT64_MAX - 0x1000, 0x1000, BOOT_RESERVED);
}

static void efi_nonsense_is_refused(void **state)
{
	struct boot_info *from = at(INFO);

	(void)state;
	assert_non_null(boot_parse_efi(INFO, &bi));
	from->magic = BOOT_MAGIC;
	from->nr_ranges = BOOT_MAX_RANGES + 1;
	assert_non_null(boot_parse_efi(INFO, &bi));
	from->nr_ranges = 0;
	assert_non_null(boot_parse_efi(INFO + 4, &bi));
	assert_non_null(boot_parse_efi(PHYS + PHYS_SIZE - 64, &bi));
}

/* ---- everything at once, damaged at random: no sanitizer may complain ---- */

static void damaged_hand_overs_do_no_harm(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 10000; round++) {
		uint32_t size = round % 2 ? make_mb2() : (make_pvh(), 0x230);

		for (int n = 1 + rand() % 4; n; n--)
			((uint8_t *)at(INFO))[(uint32_t)rand() % size] = (uint8_t)rand();
		memset(&bi, 0, sizeof(bi));
		if (round % 2)
			boot_parse_multiboot2(INFO, &bi);
		else
			boot_parse_pvh(INFO, &bi);
		boot_normalise_ranges(&bi);
		assert_true(bi.nr_ranges <= BOOT_MAX_RANGES);
		assert_non_null(memchr(bi.cmdline, 0, sizeof(bi.cmdline)));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rsdp_of_both_revisions_is_found),
		TEST(rsdp_with_a_wrong_checksum_is_passed_over),
		TEST(rsdp_longer_than_what_may_be_read_is_passed_over),
		TEST(rsdp_at_the_very_end_does_not_read_past_it),
		TEST(pvh_is_taken_over),
		TEST(pvh_nonsense_is_refused),
		TEST(a_long_command_line_is_cut_and_closed),
		TEST(multiboot2_is_taken_over),
		TEST(multiboot2_without_efi_is_grub),
		TEST(multiboot2_tags_past_the_end_are_refused),
		TEST(multiboot2_memory_map_with_odd_entries_is_refused),
		TEST(a_text_mode_framebuffer_is_none),
		TEST(efi_hand_over_is_copied_and_closed),
		TEST(efi_ranges_are_cut_like_all_others),
		TEST(efi_nonsense_is_refused),
		TEST(damaged_hand_overs_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
