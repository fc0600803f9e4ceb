/* SPDX-License-Identifier: MIT */
/*
 * Info blocks: those that ndctl 76 writes are read as it means them, ours are the same to the byte,
 * each field that is wrong is named, and hostile blocks are refused or describe a range inside.
 */
/* LINK: drivers/pmem/infoblock.c drivers/nfit/nfit.c drivers/nfit/nfit_frame.c */
/* LINK: drivers/nfit/nfit_decode.c drivers/nfit/nfit_resolve.c */
/* LINK: drivers/nfit/nfit_set.c drivers/nfit/nfit_print.c drivers/acpi/acpi_notes.c */
/* LINK: kernel/console/text.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/acpi/acpi.h"
#include "drivers/pmem/pmem.h"

#define MIB_	 (1ull << 20)
#define START	 (4096 * MIB_)
#define SIZE	 (64 * MIB_)
#define DATA_AT	 56
#define ALIGN_AT 84
#define SUM_AT	 4088

static const uint8_t uuid[16] = {0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33,
				 0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};
static uint8_t block[INFO_BYTES];
static char why[200];

static void put(size_t at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		block[at + i] = (uint8_t)(v >> 8 * i);
}

/* By its definition: over all 4096 bytes, the sum's own as zeroes. */
static void seal(void)
{
	put(SUM_AT, 0, 8);
	put(SUM_AT, nfit_fletcher64(block, sizeof(block)), 8);
}

/* What `ndctl write-infoblock -m devdax -s 64M -a ALIGN -M mem|dev -u UUID` leaves, by its fields.
 */
static void as_ndctl(uint32_t align, unsigned records, uint64_t sum)
{
	memset(block, 0, sizeof(block));
	memcpy(block, "NVDIMM_DAX_INFO", 16);
	memcpy(block + 16, uuid, 16);
	put(52, 1, 2);
	put(54, 4, 2);
	put(DATA_AT, 2 * MIB_, 8);
	put(64, 0x3e00, 8);
	put(72, records, 4);
	put(ALIGN_AT, align, 4);
	put(88, 4096, 4);
	put(92, 64, 2);
	put(SUM_AT, sum, 8);
}

static int parse(struct infoblock *info)
{
	why[0] = '\0';
	return infoblock_parse(block, START, SIZE, info, why, sizeof(why));
}

static const struct {
	uint32_t align;
	unsigned records;
	uint64_t sum; /* as ndctl wrote it */
} ndctl[] = {{4096, 1, 0x22159b8fc6656d38},
	     {4096, 2, 0x22159f7dc6656d39},
	     {2 << 20, 1, 0x9f36eb8fc6855d38},
	     {2 << 20, 2, 0x9f36ef7dc6855d39}};

static void reads_what_ndctl_writes(void **state)
{
	struct infoblock info;

	(void)state;
	for (size_t i = 0; i < sizeof(ndctl) / sizeof(ndctl[0]); i++) {
		as_ndctl(ndctl[i].align, ndctl[i].records, ndctl[i].sum);
		assert_int_equal(parse(&info), 0);
		assert_int_equal(info.mode, PMEM_DEVDAX);
		assert_int_equal(info.align, ndctl[i].align);
		assert_int_equal(info.data, 2 * MIB_);
		assert_int_equal(info.end, SIZE);
		assert_int_equal(info.on_device, ndctl[i].records == 2);
	}
	memcpy(block, "NVDIMM_PFN_INFO", 16);
	seal();
	assert_int_equal(parse(&info), 0);
	assert_int_equal(info.mode, PMEM_FSDAX);
}

static void writes_what_ndctl_writes(void **state)
{
	uint8_t ours[INFO_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(ndctl) / sizeof(ndctl[0]); i += 2) {
		assert_int_equal(
			infoblock_make(ours, START, SIZE, ndctl[i].align, uuid, why, sizeof(why)),
			0);
		as_ndctl(ndctl[i].align, 1, ndctl[i].sum);
		assert_memory_equal(ours, block, sizeof(block));
	}
	assert_int_equal(infoblock_make(ours, START, SIZE, 1 << 30, uuid, why, sizeof(why)),
			 -ENXIO);
	assert_int_equal(infoblock_make(ours, START + 4096, SIZE, 4096, uuid, why, sizeof(why)),
			 -EINVAL);
	/* An odd end is cut off, a start between gigabytes is made up for. */
	assert_int_equal(infoblock_make(ours, START + 2 * MIB_, 3072 * MIB_ + 4096, 1 << 30, uuid,
					why, sizeof(why)),
			 0);
	assert_int_equal(le64(ours + DATA_AT), 1022 * MIB_);
	assert_int_equal(le32(ours + 80), 4096);
}

/* One field of a good block is changed: the error, and a word of the sentence. */
static const struct {
	size_t at, bytes;
	uint64_t value;
	int err;
	const char *word;
} wrong[] = {
	{0, 1, 'X', -ENODEV, "signature"},
	{32, 1, 1, -ENODEV, "labels"},
	{52, 2, 2, -EOPNOTSUPP, "version is 2.4"},
	{DATA_AT, 8, SIZE, -EOPNOTSUPP, "begin at 0x4000000"},
	{DATA_AT, 8, UINT64_MAX, -EOPNOTSUPP, "begin at"},
	{DATA_AT, 8, 4096, -EOPNOTSUPP, "0x2000"},
	{DATA_AT, 8, 2 * MIB_ + 4096, -EOPNOTSUPP, "multiple of its align"},
	{DATA_AT, 8, SIZE - MIB_, -EOPNOTSUPP, "multiple of its align"},
	{72, 4, 0, -ENXIO, "mode 0"},
	{72, 4, 3, -ENXIO, "mode 3"},
	{76, 4, 4096, -EOPNOTSUPP, "multiple of its align"},
	{80, 4, 4096, -EOPNOTSUPP, "end_trunc 0x1000"},
	{80, 4, 62 * MIB_, -EOPNOTSUPP, "no whole page"},
	{80, 4, 0xffe00000, -EOPNOTSUPP, "no whole page"},
	{ALIGN_AT, 4, 8192, -EOPNOTSUPP, "align is 0x2000"},
	{ALIGN_AT, 4, 1 << 30, -EOPNOTSUPP, "more than the 0x4000000"},
};

static void names_each_wrong_field(void **state)
{
	struct infoblock info;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		as_ndctl(2 << 20, 1, 0);
		put(wrong[i].at, wrong[i].value, wrong[i].bytes);
		seal();
		if (parse(&info) != wrong[i].err || !strstr(why, wrong[i].word))
			fail_msg("field %zu = 0x%llx: %d, %s", wrong[i].at,
				 (unsigned long long)wrong[i].value, parse(&info), why);
		assert_int_equal(info.mode, PMEM_RAW);
	}
	as_ndctl(2 << 20, 1, ndctl[2].sum + 1);
	assert_int_equal(parse(&info), -ENODEV);
	assert_non_null(strstr(why, "checksum"));
	as_ndctl(2 << 20, 2, 0);
	put(92, 16, 2);
	seal();
	assert_int_equal(parse(&info), -EOPNOTSUPP);
	assert_non_null(strstr(why, "16 bytes"));
}

static void older_blocks_have_older_meanings(void **state)
{
	struct infoblock info;

	(void)state;
	as_ndctl(4096, 1, 0); /* 1.1: the align is what dataoff allows */
	put(54, 1, 2);
	seal();
	assert_int_equal(parse(&info), 0);
	assert_int_equal(info.align, 2 << 20);
	put(54, 0, 2); /* 1.0: what stands where pads came later means nothing */
	put(76, 12345, 4);
	put(80, 12345, 4);
	seal();
	assert_int_equal(parse(&info), 0);
	assert_int_equal(info.end, SIZE);
}

/* Any bytes, and good blocks with some fields of any value, sealed or not. */
static void hostile_blocks(void **state)
{
	unsigned accepted = 0;

	(void)state;
	srand(2026);
	for (unsigned round = 0; round < 200000; round++) {
		uint64_t start = (uint64_t)(rand() % 4096) * (rand() % 4 ? 2 * MIB_ : 4096);
		uint64_t size = (uint64_t)(1 + rand() % 4096) * (rand() % 4 ? 2 * MIB_ : 4096);
		struct infoblock info;
		int err;

		as_ndctl(2 << 20, 1, 0);
		for (unsigned n = (unsigned)rand() % 4; n; n--) {
			size_t at = round % 8 ? 48 + (size_t)rand() % 48 : (size_t)rand() % 4096;

			put(at, (uint64_t)rand() << (rand() % 40),
			    1 + (size_t)rand() % (4096 - at < 8 ? 4096 - at : 8));
		}
		if (rand() % 16)
			seal();
		err = infoblock_parse(block, start, size, &info, why, sizeof(why));
		if (err) {
			assert_true(err == -ENODEV || err == -EOPNOTSUPP || err == -ENXIO);
			assert_true(*why && info.mode == PMEM_RAW);
			continue;
		}
		accepted++;
		assert_true(info.align && !(info.align & (info.align - 1)));
		assert_true(info.data >= 8192 && info.data < info.end && info.end <= size);
		assert_true((start + info.data) % info.align == 0);
		assert_true(info.end - info.data >= info.align);
	}
	assert_true(accepted > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_ndctl_writes),
		cmocka_unit_test(writes_what_ndctl_writes),
		cmocka_unit_test(names_each_wrong_field),
		cmocka_unit_test(older_blocks_have_older_meanings),
		cmocka_unit_test(hostile_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
