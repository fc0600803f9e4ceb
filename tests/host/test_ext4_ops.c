/* SPDX-License-Identifier: MIT */
/*
 * Every operation of the ext4 layer, one by one: after each the image is unmounted, e2fsck -fn
 * must find nothing, and debugfs must read the bytes we wrote.
 */
/* LINK: tests/host/ext4_image.c dax/ext4/balloc.c dax/ext4/census.c dax/ext4/check.c */
/* LINK: dax/ext4/dir.c dax/ext4/dir_write.c dax/ext4/extent_free.c dax/ext4/extent_node.c */
/* LINK: dax/ext4/extent_read.c dax/ext4/extent_write.c dax/ext4/features.c dax/ext4/file.c */
/* LINK: dax/ext4/geometry.c dax/ext4/group.c dax/ext4/ialloc.c dax/ext4/inode.c */
/* LINK: dax/ext4/namei.c dax/ext4/orphan.c dax/ext4/rename.c dax/ext4/repair.c */
/* LINK: dax/ext4/repair_dir.c dax/ext4/repair_maps.c dax/ext4/space.c dax/ext4/super.c */
/* LINK: dax/ext4/tree.c dax/ext4/zone.c */
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


int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mount_leaves_clean, up, down),
		cmocka_unit_test_setup_teardown(create_and_write, up, down),
		cmocka_unit_test_setup_teardown(write_large, up, down),
		cmocka_unit_test_setup_teardown(append_in_odd_pieces, up, down),
		cmocka_unit_test_setup_teardown(write_behind_the_end_leaves_a_hole, up, down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
