/* SPDX-License-Identifier: MIT */
/* What a file gives up: who is told of it, when, and how often. */
/* LINK: tests/host/ext4_image.c dax/ext4/[a-z]*.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dax/ext4/internal.h"
#include "tests/host/ext4_image.h"

static struct image im;

static int up(void **state)
{
	(void)state;
	image_make(&im, 16, OURS ",uninit_bg -g 256");
	image_up(&im);
	return 0;
}

static int down(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

/* What env.freeing was told, and how much of it was free in the bitmap by then. */
static struct {
	uint32_t calls, most, early;
	uint64_t blocks;
} told;

static void tell(void *ctx, struct ext4_inode *ip, const struct ext4_run *run, uint32_t n)
{
	(void)ctx;
	told.calls++;
	told.most = n > told.most ? n : told.most;
	for (uint32_t i = 0; i < n; i++) {
		told.blocks += run[i].count;
		for (uint32_t b = 0; b < run[i].count; b++)
			told.early += ext4_block_free(ip->fs, run[i].pblk + b);
	}
}

static int count_all(void *ctx, const struct ext4_extent_info *e)
{
	if (e->kind == EXT4_OWN_UNWRITTEN)
		*(uint64_t *)ctx += e->count;
	return 0;
}

/* A file of many runs: each is told once, all of a leaf before a bit of any is cleared. */
static void all_runs_are_told_before_any_is_free(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/pieces");
	uint64_t blocks = 0, free = im.fs->free_blocks;

	(void)state;
	memset(&told, 0, sizeof(told));
	assert_int_equal(ext4_fallocate(ip, 0, 12 << 20, 0), 0);
	for (uint64_t b = 1; b < 100; b += 2)
		assert_int_equal(ext4_punch_hole(ip, b << 12, 4096), 0);
	assert_int_equal(ext4_for_each_extent(im.fs, count_all, &blocks), 0);
	assert_int_equal(blocks, (12 << 8) - 50);
	im.fs->env.freeing = tell;
	assert_int_equal(ext4_truncate(ip, 0), 0);
	assert_int_equal(told.blocks, blocks);
	assert_int_equal(told.early, 0);
	assert_true(told.calls >= 4 && told.calls <= 8); /* over 60 runs */
	assert_true(told.most >= 9 && told.most <= 64);
	assert_int_equal(im.fs->free_blocks, free);
	im_put(ip);
	image_check(&im);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_runs_are_told_before_any_is_free, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
