/* SPDX-License-Identifier: MIT */
/*
 * Numbers of an image decide nothing but themselves: a block, an inode or a counter that claims to
 * be something is proven to be that before it is freed, given out or written.
 */
/* LINK: tests/host/ext4_image.c dax/ext4/[a-z]*.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dax/ext4/disk.h"
#include "tests/host/ext4_image.h"

#define MIB  8u
#define SIZE ((uint64_t)MIB << 20)
#define B    4096u

static struct image im;
static uint8_t keep[SIZE], buf[64 << 10];

static struct ext4_super *super(void)
{
	return (struct ext4_super *)(im.base + 1024);
}

static struct ext4_group_desc *desc(void)
{
	return (struct ext4_group_desc *)(im.base + 4096);
}

static struct ext4_disk_inode *raw(uint32_t ino)
{
	return (void *)(im.base + (uint64_t)desc()->bg_inode_table_lo * B + (ino - 1) * 256);
}

static uint32_t first_block(uint32_t ino)
{
	return ((struct ext4_extent *)(void *)(raw(ino)->i_block + 12))->ee_start_lo;
}

/* /victim is inode 12, /bait 13, both with one block of their own pattern. */
static int two_files(void **state)
{
	static const char *const path[] = {"/victim", "/bait"};

	(void)state;
	image_make(&im, MIB, OURS ",ext_attr");
	image_up(&im);
	for (uint32_t i = 0; i < 2; i++) {
		struct ext4_inode *ip = im_create(&im, path[i]);

		im_pattern(buf, B, i);
		im_write(ip, 0, buf, B);
		im_put(ip);
	}
	image_down(&im);
	image_fsck(&im);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

static void victim_is_whole(void)
{
	im_pattern(buf, B, 0);
	im_expect(&im, "/victim", buf, B);
}

static void fill_the_device(void)
{
	struct ext4_inode *ip = im_create(&im, "/filler");

	memset(buf, 'X', sizeof(buf));
	for (uint64_t off = 0; ext4_write(ip, off, buf, sizeof(buf)) > 0; off += sizeof(buf))
		;
	im_put(ip);
}

/* i_file_acl names another file's block: it is not freed with the inode, and fsck is told. */
static void what_is_no_attribute_block_is_not_freed(void **state)
{
	(void)state;
	raw(13)->i_file_acl_lo = first_block(12);
	image_up(&im);
	im_unlink(&im, "/bait");
	assert_non_null(strstr(im.said, "is no attribute block"));
	assert_false(ext4_block_free(im.fs, first_block(12)));
	fill_the_device();
	victim_is_whole();
	image_down(&im);
	assert_true(super()->s_state & EXT4_ERROR_FS); /* the verdict is kept */
}

/* Nor is a block that looks like one by its magic only. */
static void an_attribute_block_has_holders(void **state)
{
	struct ext4_xattr_header *h = (void *)(im.base + first_block(12) * (uint64_t)B);

	(void)state;
	raw(13)->i_file_acl_lo = first_block(12);
	*h = (struct ext4_xattr_header){EXT4_XATTR_MAGIC, 0, 1, 0};
	image_up(&im);
	im_unlink(&im, "/bait");
	assert_false(ext4_block_free(im.fs, first_block(12)));
	image_down(&im);
	assert_true(super()->s_state & EXT4_ERROR_FS);
}

/* Two owners, one of them by its attributes, in either order of their inodes. */
static void check_counts_attribute_blocks_too(void **state)
{
	(void)state;
	for (uint32_t ino = 12; ino < 14; ino++) {
		raw(ino)->i_file_acl_lo = first_block(25 - ino);
		image_up(&im);
		assert_int_equal(ext4_check(im.fs, NULL, NULL), 1);
		image_down(&im);
		raw(ino)->i_file_acl_lo = 0;
	}
}

static void a_directory_of_unwritten_blocks_is_not_empty(void **state)
{
	struct ext4_dirent_info info;
	struct ext4_inode *root, *ip;
	uint64_t pos = 0;

	(void)state;
	image_up(&im);
	im_mkdir(&im, "/d");
	im_put(im_create(&im, "/d/f"));
	image_down(&im);
	for (int hole = 0; hole < 2; hole++) {
		struct ext4_extent *e = (void *)(raw(14)->i_block + 12), old = *e;

		if (hole)
			e->ee_block = 7;
		else
			e->ee_len |= 0x8000;
		image_up(&im);
		root = im_open(&im, "/");
		ip = im_open(&im, "/d");
		assert_int_equal(ext4_readdir(ip, &pos, &info), -EIO);
		assert_non_null(strstr(ext4_why(im.fs), hole ? "missing" : "unwritten"));
		im_put(ip);
		assert_int_equal(ext4_rmdir(root, "d", &ip), -EIO);
		im_put(root);
		image_down(&im);
		*e = old;
	}
	image_fsck(&im);
}

/* The bitmap calls a file's inode free: a new file does not take it. */
static void an_inode_with_links_is_not_given_out(void **state)
{
	uint8_t *map = im.base + (uint64_t)desc()->bg_inode_bitmap_lo * B;
	struct ext4_inode *ip;

	(void)state;
	map[1] &= (uint8_t) ~(1u << 3); /* inode 12 */
	image_up(&im);
	ip = im_create(&im, "/new");
	assert_int_not_equal(ip->ino, 12);
	im_put(ip);
	victim_is_whole();
	image_down(&im);
	assert_true(super()->s_state & EXT4_ERROR_FS);
}

/* The descriptor names a file's block as bitmap: no bit of it is changed. */
static void a_block_that_is_no_bitmap_is_not_written(void **state)
{
	struct ext4_inode *root, *ip;
	uint32_t lie, i;

	(void)state;
	image_up(&im);
	ip = im_create(&im, "/lie");
	memset(buf, 0, sizeof(buf));
	im_write(ip, 0, buf, B);
	im_put(ip);
	lie = first_block(14);
	im_unlink(&im, "/lie");
	image_down(&im);
	memset(im.base + lie * (uint64_t)B, 0, B);
	desc()->bg_block_bitmap_lo = lie;
	image_up(&im);
	root = im_open(&im, "/");
	assert_int_equal(ext4_unlink(root, "bait", &ip), 0);
	if (ext4_iput(ip))
		ext4_evict(ip);
	assert_int_equal(ext4_mkdir(root, "d", 0755, NULL), -ENOSPC);
	im_put(root);
	for (i = 0; i < B && !im.base[lie * (uint64_t)B + i]; i++)
		;
	assert_int_equal(i, B);
	assert_non_null(strstr(im.said, "it is none"));
	image_down(&im);
}

/* Counters that an image began too low stay above zero. */
static void counters_do_not_wrap(void **state)
{
	struct ext4_statfs st;
	struct ext4_inode *ip;
	int64_t free;

	(void)state;
	free = desc()->bg_free_blocks_lo;
	super()->s_free_blocks_lo = 3;
	super()->s_free_inodes = 0;
	image_up(&im);
	ext4_statfs(im.fs, &st);
	assert_int_equal(st.free_blocks, free); /* as the groups count */
	ip = im_create(&im, "/many");
	im_write(ip, 0, buf, 10 * B);
	im_put(ip);
	ext4_statfs(im.fs, &st);
	assert_int_equal(st.free_blocks, free - 10);
	image_down(&im);
	image_fsck(&im);
	desc()->bg_free_blocks_lo = 3;
	desc()->bg_free_inodes_lo = 1;
	image_up(&im);
	ip = im_create(&im, "/more");
	im_write(ip, 0, buf, 10 * B);
	im_put(ip);
	ext4_statfs(im.fs, &st);
	assert_true(st.free_blocks <= 2048);
	assert_true(desc()->bg_free_blocks_lo <= 2048);
	assert_true(super()->s_free_blocks_lo <= 2048);
	image_down(&im);
}

/*
 * Repair joins two thin leaves, which takes a block, while the bitmap calls nothing free but the
 * victim's: it must be right before anything is taken by it.
 */
static void repair_takes_no_block_by_a_wrong_bitmap(void **state)
{
	uint8_t *map = im.base + (uint64_t)desc()->bg_block_bitmap_lo * B;
	struct ext4_inode *ip, *other;
	struct ext4_map block;
	uint64_t victim;

	(void)state;
	image_up(&im);
	ip = im_create(&im, "/tree");
	for (uint64_t i = 0; i < 680; i++)
		im_write(ip, 2 * i * B, "x", 1);
	assert_int_equal(ext4_punch_hole(ip, 2 * B, 2 * 169 * B), 0);
	other = im_open(&im, "/victim"); /* its second block lies where the punched ones were */
	im_pattern(buf, 2 * B, 0);
	im_write(other, 0, buf, 2 * B);
	assert_int_equal(ext4_map_blocks(other, 1, 1, 0, &block), 0);
	victim = block.pblk;
	im_put(other);
	memcpy(keep, im.base, SIZE); /* dirty, and ours */
	im_put(ip);
	image_down(&im);
	memcpy(im.base, keep, SIZE);
	raw(14)->i_size_lo = 440 * 2 * B; /* what is behind goes */
	memset(map, 0xFF, B);
	map[255] = 0; /* for the reserve, which is filled from the end */
	map[victim / 8] &= (uint8_t) ~(1u << victim % 8);
	image_up(&im);
	assert_non_null(strstr(im.said, "behind the end"));
	im_pattern(buf, 2 * B, 0);
	im_expect(&im, "/victim", buf, 2 * B);
	image_check(&im);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, two_files, drop)
	const struct CMUnitTest tests[] = {
		T(what_is_no_attribute_block_is_not_freed),
		T(an_attribute_block_has_holders),
		T(check_counts_attribute_blocks_too),
		T(a_directory_of_unwritten_blocks_is_not_empty),
		T(an_inode_with_links_is_not_given_out),
		T(a_block_that_is_no_bitmap_is_not_written),
		T(counters_do_not_wrap),
		T(repair_takes_no_block_by_a_wrong_bitmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
