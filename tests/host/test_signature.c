/* SPDX-License-Identifier: MIT */
/*
 * Signatures: each at its place is found by its name, and nothing is found where nothing is.
 *
 * mkfs.ext4 and mkswap, which are there anyway, make real images; of the others the bytes that
 * count are written here, from the layouts that drivers/pmem/signature.c names as its sources.
 */
/* LINK: drivers/pmem/signature.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "drivers/pmem/pmem.h"

/* A device of zeroes with a few bytes in it. Reading past its end is an error of the library. */
struct device {
	uint64_t size;
	unsigned int nr;
	struct patch {
		uint64_t at;
		size_t len;
		uint8_t bytes[600];
	} patch[8];
};

static bool read_device(void *ctx, uint64_t off, void *buf, size_t n)
{
	const struct device *d = ctx;

	assert_true(off <= d->size && n <= d->size - off);
	memset(buf, 0, n);
	for (unsigned int i = 0; i < d->nr; i++)
		for (size_t k = 0; k < d->patch[i].len; k++) {
			uint64_t at = d->patch[i].at + k;

			if (at >= off && at < off + n)
				((uint8_t *)buf)[at - off] = d->patch[i].bytes[k];
		}
	return true;
}

static void put(struct device *d, uint64_t at, const void *bytes, size_t len)
{
	struct patch *p = &d->patch[d->nr++];

	p->at = at;
	p->len = len;
	memcpy(p->bytes, bytes, len);
}

static void put32(struct device *d, uint64_t at, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};

	put(d, at, b, 4);
}

static void expect_text(struct device *d, const char *want)
{
	struct signature s[SIGNATURES_MAX];
	unsigned int nr = signature_find(read_device, d, d->size, s, SIGNATURES_MAX);
	char text[300];

	signature_text(s, nr, text, sizeof(text));
	assert_string_equal(text, want);
	*d = (struct device){.size = 64 * MIB};
}

static void nothing_on_zeroes(void **state)
{
	static const uint64_t sizes[] = {0, 1, 511, 512, 4095, 4096, 65535, 65536, 1ull << 40};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct device d = {.size = sizes[i]};

		expect_text(&d, "");
	}
}

static void at_fixed_places(void **state)
{
	static const struct {
		uint64_t at;
		const char *bytes;
		size_t len;
		const char *want;
	} row[] = {
		{0, "XFSB", 4, "XFS (at 0x0)"},
		{0x10040, "_BHRfS_M", 8, "btrfs (at 0x10040)"},
		{0x400, "\x10\x20\xf5\xf2", 4, "F2FS (at 0x400)"},
		{512, "EFI PART", 8, "GPT (at 0x200)"},
		{64 * MIB - 512, "EFI PART", 8, "GPT (backup) (at 0x3fffe00)"},
		{0, "LUKS\xba\xbe\0\1", 8, "LUKS 1 (at 0x0)"},
		{0, "LUKS\xba\xbe\0\2", 8, "LUKS 2 (at 0x0)"},
		{0x4000, "SKUL\xba\xbe\0\2", 8, "LUKS 2 (second header) (at 0x4000)"},
		{4096, "NVDIMM_PFN_INFO", 16,
		 "ndctl info block, fsdax (NVDIMM_PFN_INFO) (at 0x1000)"},
		{4096, "NVDIMM_DAX_INFO", 16,
		 "ndctl info block, devdax (NVDIMM_DAX_INFO) (at 0x1000)"},
		{4096, "BTT_ARENA_INFO\0", 16, "BTT (at 0x1000)"},
		{0, "BTT_ARENA_INFO\0", 16, "BTT (at 0x0)"},
		{0xff6, "SWAPSPACE2", 10, "swap (at 0xff6)"},
		{0xfff6, "SWAPSPACE2", 10, "swap (at 0xfff6)"},
		{3, "EXFAT   ", 8, "exFAT (at 0x3)"},
		{0x8001, "CD001", 5, "ISO 9660 (at 0x8001)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct device d = {.size = 64 * MIB};

		put(&d, row[i].at, row[i].bytes, row[i].len);
		expect_text(&d, row[i].want);
		put(&d, row[i].at, row[i].bytes, row[i].len - 1); /* nearly is not */
		if (row[i].bytes[row[i].len - 1])
			expect_text(&d, "");
		d = (struct device){.size = row[i].at + row[i].len - 1}; /* does not fit */
		expect_text(&d, "");
	}
}

/* Boot code has the two bytes as well; a table's boot flags are 0 or 0x80. */
static void mbr_and_fat(void **state)
{
	struct device d = {.size = 64 * MIB};

	(void)state;
	put(&d, 510, "\x55\xaa", 2);
	expect_text(&d, "MBR (at 0x1fe)");
	put(&d, 510, "\x55\xaa", 2);
	put(&d, 446, "\x80", 1);
	expect_text(&d, "MBR (at 0x1fe)");
	put(&d, 510, "\x55\xaa", 2);
	put(&d, 462, "\x12", 1);
	expect_text(&d, "");
	put(&d, 510, "\x55\xaa", 2);
	put(&d, 0x52, "FAT32   ", 8);
	expect_text(&d, "FAT (at 0x52)");
	put(&d, 510, "\x55\xaa", 2);
	put(&d, 512, "EFI PART", 8);
	expect_text(&d, "GPT (at 0x200), MBR (at 0x1fe)");
}

static void lvm2_in_any_of_four_sectors(void **state)
{
	struct device d = {.size = 64 * MIB};

	(void)state;
	for (unsigned int sector = 0; sector < 6; sector++) {
		char want[40];

		put(&d, sector * 512, "LABELONE", 8);
		put(&d, sector * 512 + 24, "LVM2 001", 8);
		snprintf(want, sizeof(want), "LVM2 (at 0x%x)", sector * 512);
		expect_text(&d, sector < 4 ? want : "");
	}
	put(&d, 512, "LABELONE", 8);
	expect_text(&d, "");
}

static void put_md1(struct device *d, uint64_t at, uint64_t says)
{
	put32(d, at, 0xa92b4efc);
	put32(d, at + 4, 1);
	put32(d, at + 128, (uint32_t)(says / 512));
}

/* Where MD's four kinds are, on a size that is no multiple of 64 KiB. */
static void md_of_four_kinds(void **state)
{
	const uint64_t size = 64 * MIB + 5 * 4096, last = 64 * MIB - 0x10000;
	const uint64_t one = ((size / 512 - 16) & ~7ull) * 512;
	struct device d = {.size = size};
	char want[60];

	(void)state;
	put_md1(&d, 0, 0);
	expect_text(&d, "MD 1.1 (at 0x0)");
	put_md1(&d, 4096, 4096);
	expect_text(&d, "MD 1.2 (at 0x1000)");
	put_md1(&d, 4096, 0); /* a copy of another place's */
	expect_text(&d, "");
	d.size = size;
	put_md1(&d, one, one);
	snprintf(want, sizeof(want), "MD 1.0 (at 0x%llx)", (unsigned long long)one);
	expect_text(&d, want);
	for (unsigned int big = 0; big < 2; big++) {
		d.size = size;
		put32(&d, last, big ? 0xfc4e2ba9 : 0xa92b4efc);
		snprintf(want, sizeof(want), "MD 0.90 (at 0x%llx)", (unsigned long long)last);
		expect_text(&d, want);
	}
}

/* Many at once: as many as fit are told, in whole words. */
static void no_more_than_fit(void **state)
{
	struct device d = {.size = 64 * MIB};
	struct signature s[2];
	char text[12];

	(void)state;
	put(&d, 0, "XFSB", 4);
	put(&d, 512, "EFI PART", 8);
	put(&d, 4096, "EFI PART", 8);
	assert_int_equal(signature_find(read_device, &d, d.size, s, 2), 2);
	signature_text(s, 2, text, sizeof(text));
	assert_string_equal(text, "XFS (at 0x0");
}

/* ---- images that the tools made ---- */

static bool read_file(void *ctx, uint64_t off, void *buf, size_t n)
{
	return fseek(ctx, (long)off, SEEK_SET) == 0 && fread(buf, 1, n, ctx) == n;
}

static void expect_made_by(const char *tool, const char *want)
{
	char path[] = "/tmp/signature.XXXXXX", line[300], text[300];
	struct signature s[SIGNATURES_MAX];
	unsigned int nr;
	FILE *f;

	close(mkstemp(path));
	assert_int_equal(truncate(path, 16 * MIB), 0);
	snprintf(line, sizeof(line), "PATH=$PATH:/usr/sbin:/sbin %s %s >/dev/null 2>&1", tool,
		 path);
	assert_int_equal(system(line), 0);
	f = fopen(path, "rb");
	assert_non_null(f);
	nr = signature_find(read_file, f, 16 * MIB, s, SIGNATURES_MAX);
	fclose(f);
	unlink(path);
	signature_text(s, nr, text, sizeof(text));
	assert_string_equal(text, want);
	assert_true(nr != 1 || strncmp(want, "ext", 3) || s[0].kind == SIGNATURE_EXT);
}

static void made_by_tools(void **state)
{
	(void)state;
	expect_made_by("true", "");
	expect_made_by("mkfs.ext4 -q -F -t ext2", "ext2 (at 0x438)");
	expect_made_by("mkfs.ext4 -q -F -t ext3", "ext3 (at 0x438)");
	expect_made_by("mkfs.ext4 -q -F -t ext4", "ext4 (at 0x438)");
	expect_made_by("mkfs.ext4 -q -F -b 4096 -O none,filetype,extent", "ext4 (at 0x438)");
	expect_made_by("mkfs.ext4 -q -F -b 4096 -O journal_dev", "ext journal device (at 0x438)");
	expect_made_by("mkswap", "swap (at 0xff6)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_on_zeroes), cmocka_unit_test(at_fixed_places),
		cmocka_unit_test(mbr_and_fat),	     cmocka_unit_test(lvm2_in_any_of_four_sectors),
		cmocka_unit_test(md_of_four_kinds),  cmocka_unit_test(no_more_than_fit),
		cmocka_unit_test(made_by_tools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
