/* SPDX-License-Identifier: MIT */
/*
 * Every operation of the ext4 layer, one by one: after each the image is unmounted, e2fsck -fn
 * must find nothing, and debugfs must read the bytes we wrote.
 */
/* LINK: tests/host/ext4_image.c dax/ext4/[a-z]*.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/host/ext4_image.h"

static struct image im;
static uint8_t buf[8 << 20];

static int up(void **state)
{
	(void)state;
	image_make(&im, 16, OURS);
	image_up(&im);
	return 0;
}

static int down(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

static void mount_leaves_clean(void **state)
{
	(void)state;
	image_check(&im);
}

static void create_and_write(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/hello");

	(void)state;
	im_write(ip, 0, "hello, pmem", 11);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/hello", "hello, pmem", 11);
	im_expect(&im, "/hello", "hello, pmem", 11);
}

static void write_large(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/large");

	(void)state;
	im_pattern(buf, 5000000, 1);
	im_write(ip, 0, buf, 5000000);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/large", buf, 5000000);
}

static void append_in_odd_pieces(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/log");
	uint64_t at = 0;

	(void)state;
	im_pattern(buf, 300000, 2);
	for (uint32_t n = 1; at + n < 300000; at += n, n = n * 7 % 9973)
		im_write(ip, at, buf + at, n);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/log", buf, at);
}

static void write_behind_the_end_leaves_a_hole(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/sparse");
	struct ext4_map map;

	(void)state;
	memset(buf, 0, 70000);
	memcpy(buf + 100, "begin", 5);
	memcpy(buf + 65000, "end", 3);
	im_write(ip, 100, "begin", 5);
	im_write(ip, 65000, "end", 3);
	assert_int_equal(ext4_map_blocks(ip, 1, 100, 0, &map), 0);
	assert_int_equal(map.state, EXT4_HOLE);
	assert_int_equal(map.count, 14);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/sparse", buf, 65003);
}

/* Every second block, from the end: no two extents merge, every insert is in front. */
static void holey(struct ext4_inode *ip, uint32_t blocks)
{
	im_pattern(buf, (uint64_t)blocks * 4096, 3);
	for (uint32_t b = blocks; b-- > 0;)
		if (b % 2 == 0)
			im_write(ip, (uint64_t)b * 4096, buf + (uint64_t)b * 4096, 4096);
		else
			memset(buf + (uint64_t)b * 4096, 0, 4096);
}

static void backward_writes_build_a_tree(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/back");
	char out[4000];

	(void)state;
	holey(ip, 1999);
	im_put(ip);
	image_check(&im);
	image_debugfs(&im, false, "stat /back", out, sizeof(out));
	assert_non_null(strstr(out, "ETB0")); /* the tree has blocks of its own */
	image_same(&im, "/back", buf, 1999 * 4096);
}

static void punch_every_extent_apart(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/holes");

	(void)state;
	im_pattern(buf, 1500 * 4096, 4);
	im_write(ip, 0, buf, 1500 * 4096);
	for (uint32_t b = 1; b < 1500; b += 2) {
		assert_int_equal(ext4_punch_hole(ip, b * 4096ull, 4096), 0);
		memset(buf + b * 4096, 0, 4096);
	}
	im_put(ip);
	image_check(&im);
	image_same(&im, "/holes", buf, 1500 * 4096);
	ip = im_open(&im, "/holes");
	assert_int_equal(ext4_punch_hole(ip, 700, 1500 * 4096 - 1400), 0);
	memset(buf + 700, 0, 1500 * 4096 - 1400);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/holes", buf, 1500 * 4096);
}

static void truncate_a_tree_step_by_step(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/t");
	static const uint32_t sizes[] = {8000000, 7999999, 4096 * 800 + 1, 4096 * 8, 4096 * 7,
					 5,	  0};

	(void)state;
	holey(ip, 1999);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(ext4_truncate(ip, sizes[i]), 0);
		im_put(ip);
		image_check(&im);
		image_same(&im, "/t", buf, sizes[i]);
		ip = im_open(&im, "/t");
	}
	im_put(ip);
}

static void truncate_up_shows_zeroes(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/t");

	(void)state;
	im_pattern(buf, 10000, 5);
	im_write(ip, 0, buf, 10000);
	assert_int_equal(ext4_truncate(ip, 5000), 0);
	assert_int_equal(ext4_truncate(ip, 20000), 0);
	memset(buf + 5000, 0, 15000);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/t", buf, 20000);
}

static void late_bytes_behind_the_end_never_show(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/late");
	struct ext4_map map;

	(void)state;
	im_pattern(buf, 4096, 6);
	im_write(ip, 0, buf, 4096);
	assert_int_equal(ext4_truncate(ip, 100), 0);
	/* a device that still holds the page writes behind the new end (F-6) */
	assert_int_equal(ext4_map_blocks(ip, 0, 1, 0, &map), 0);
	memset(im.base + map.pblk * 4096 + 200, 0xEE, 1000);
	im_write(ip, 3000, "x", 1);
	memset(buf + 100, 0, 2900);
	buf[3000] = 'x';
	im_put(ip);
	image_check(&im);
	image_same(&im, "/late", buf, 3001);
}

static void punch_within_one_block(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/p");

	(void)state;
	im_pattern(buf, 9000, 7);
	im_write(ip, 0, buf, 9000);
	assert_int_equal(ext4_punch_hole(ip, 4100, 50), 0);
	memset(buf + 4100, 0, 50);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/p", buf, 9000);
}

static void fallocate_reads_as_zero(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/f");
	struct ext4_map map;

	(void)state;
	assert_int_equal(ext4_fallocate(ip, 0, 1 << 20, 0), 0);
	assert_int_equal(ip->size, 1 << 20);
	assert_int_equal(ext4_map_blocks(ip, 3, 10, 0, &map), 0);
	assert_int_equal(map.state, EXT4_UNWRITTEN);
	im_write(ip, 40000, "middle", 6);
	memset(buf, 0, 1 << 20);
	memcpy(buf + 40000, "middle", 6);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/f", buf, 1 << 20);
}

static void fallocate_keep_size_then_append(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/k");

	(void)state;
	im_pattern(buf, 50000, 8);
	im_write(ip, 0, buf, 100);
	assert_int_equal(ext4_fallocate(ip, 0, 200000, EXT4_FALLOC_KEEP_SIZE), 0);
	assert_int_equal(ip->size, 100);
	im_put(ip);
	image_check(&im);
	ip = im_open(&im, "/k");
	im_write(ip, 100, buf + 100, 49900);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/k", buf, 50000);
}

static void map_create_zeroes_and_converts(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/m");
	struct ext4_map map;

	(void)state;
	/* leave old bytes in the free blocks */
	memset(buf, 0xAB, 1 << 20);
	im_write(ip, 0, buf, 1 << 20);
	assert_int_equal(ext4_truncate(ip, 0), 0);
	assert_int_equal(ext4_set_size(ip, 1 << 20), 0);
	assert_int_equal(ext4_fallocate(ip, 512 << 10, 512 << 10, 0), 0);
	for (uint32_t b = 0; b < 256; b += 3) {
		assert_int_equal(ext4_map_blocks(ip, b, 1, EXT4_MAP_CREATE, &map), 0);
		assert_int_equal(map.state, EXT4_WRITTEN);
		assert_int_equal(map.count, 1);
		assert_true(map.fresh);
		im.base[map.pblk * 4096 + 5] = (uint8_t)b;
	}
	memset(buf, 0, 1 << 20);
	for (uint32_t b = 0; b < 256; b += 3)
		buf[b * 4096 + 5] = (uint8_t)b;
	im_put(ip);
	image_check(&im);
	image_same(&im, "/m", buf, 1 << 20);
}

static void map_create_behind_the_end_is_refused(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/m");
	struct ext4_map map;

	(void)state;
	assert_int_equal(ext4_set_size(ip, 5000), 0);
	assert_int_equal(ext4_map_blocks(ip, 2, 1, EXT4_MAP_CREATE, &map), -EINVAL);
	assert_non_null(strstr(ext4_why(im.fs), "behind the end"));
	/* a long request is cut to the size */
	assert_int_equal(ext4_map_blocks(ip, 0, 100, EXT4_MAP_CREATE, &map), 0);
	assert_int_equal(map.count, 2);
	im_put(ip);
	image_check(&im);
}

static void sequential_faults_make_one_extent(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/seq");
	struct ext4_map map;

	(void)state;
	assert_int_equal(ext4_set_size(ip, 1 << 20), 0);
	for (uint32_t b = 0; b < 256; b++)
		assert_int_equal(ext4_map_blocks(ip, b, 1, EXT4_MAP_CREATE, &map), 0);
	assert_int_equal(ext4_map_blocks(ip, 0, 1000, 0, &map), 0);
	assert_int_equal(map.count, 256);
	im_put(ip);
	image_check(&im);
}

static void large_requests_are_aligned(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/huge");
	struct ext4_map map;

	(void)state;
	assert_int_equal(ext4_set_size(ip, 4 << 20), 0);
	assert_int_equal(ext4_map_blocks(ip, 512, 512, EXT4_MAP_CREATE, &map), 0);
	assert_int_equal(map.pblk % 512, 0);
	assert_int_equal(map.count, 512);
	im_put(ip);
	image_check(&im);
}

static void far_offsets(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/far");
	static const uint64_t at[] = {5, 4294967290ull, 1ull << 40, (1ull << 44) - 8192 - 3};
	char got[16];

	(void)state;
	for (int i = 0; i < 4; i++)
		im_write(ip, at[i], "0123456789", 10);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(ext4_read(ip, at[i], got, 10), 10);
		assert_memory_equal(got, "0123456789", 10);
	}
	assert_int_equal(ext4_write(ip, 1ull << 44, "x", 1), -EFBIG);
	im_put(ip);
	image_check(&im);
	ip = im_open(&im, "/far");
	assert_int_equal(ip->size, at[3] + 10);
	assert_int_equal(ext4_truncate(ip, 4294967295ull), 0);
	im_put(ip);
	image_check(&im);
	im_unlink(&im, "/far");
	image_check(&im);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		T(mount_leaves_clean),
		T(create_and_write),
		T(write_large),
		T(append_in_odd_pieces),
		T(write_behind_the_end_leaves_a_hole),
		T(backward_writes_build_a_tree),
		T(punch_every_extent_apart),
		T(truncate_a_tree_step_by_step),
		T(truncate_up_shows_zeroes),
		T(late_bytes_behind_the_end_never_show),
		T(punch_within_one_block),
		T(fallocate_reads_as_zero),
		T(fallocate_keep_size_then_append),
		T(map_create_zeroes_and_converts),
		T(map_create_behind_the_end_is_refused),
		T(sequential_faults_make_one_extent),
		T(large_requests_are_aligned),
		T(far_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
