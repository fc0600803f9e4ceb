/* SPDX-License-Identifier: MIT */
/*
 * When there is nothing left: no block, no inode, no link; every free block busy.  What is
 * refused leaves no trace (ext4_check and e2fsck agree), and freeing always succeeds (F-10).
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

static struct image im;
static uint8_t buf[4 << 20];
static bool all_busy;
static uint64_t busy_block; /* besides; zero: none */

static uint32_t idle_run(void *ctx, uint64_t pblk, uint32_t count)
{
	(void)ctx;
	if (all_busy)
		return 0;
	return busy_block && busy_block - pblk < count ? (uint32_t)(busy_block - pblk) : count;
}

/* Whoever hands a block out asks at that moment: the reserve as well as a search (I1). */
static bool may_take(void *ctx, uint64_t pblk, uint32_t count)
{
	assert_int_equal(idle_run(ctx, pblk, count), count);
	return true;
}

static int make(const char *args)
{
	image_make(&im, 8, args);
	im.env.idle_run = idle_run;
	im.env.may_take = may_take;
	all_busy = false;
	busy_block = 0;
	image_up(&im);
	return 0;
}

static int up(void **state)
{
	(void)state;
	return make(OURS);
}

static int few_inodes(void **state)
{
	(void)state;
	return make(OURS " -N 32");
}

static int with_dir_nlink(void **state)
{
	(void)state;
	return make("-b 4096 -I 256 -O none,filetype,extent,dir_nlink");
}

static int down(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

/* Every second block of @blocks, from the end: one extent each. */
static void holey(struct ext4_inode *ip, uint32_t blocks)
{
	for (uint32_t b = blocks; b-- > 0;)
		if (b % 2 == 0)
			im_write(ip, (uint64_t)b * 4096, buf, 4096);
}

/* Take all blocks but @left with a file of its own. */
static void fill_but(uint32_t left)
{
	struct ext4_inode *ip = im_create(&im, "/filler");
	struct ext4_statfs st;
	int64_t n;
	uint64_t size = 0;

	while ((n = ext4_write(ip, size, buf, sizeof(buf))) > 0)
		size += (uint64_t)n;
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(ext4_truncate(ip, size - left * 4096ull), 0);
	ext4_statfs(im.fs, &st);
	assert_int_equal(st.free_blocks - st.reserved_blocks, left);
	im_put(ip);
}

static void a_full_device_says_so(void **state)
{
	struct ext4_inode *ip;
	char b = 'x';

	(void)state;
	fill_but(0);
	ip = im_create(&im, "/f"); /* the name fits the directory's block */
	assert_int_equal(ext4_write(ip, 0, &b, 1), -ENOSPC);
	assert_string_equal(ext4_why(im.fs), "no free block left on the device");
	assert_int_equal(ext4_blocked_by_busy(im.fs), 0);
	assert_int_equal(ext4_fallocate(ip, 0, 4096, 0), -ENOSPC);
	assert_int_equal(ip->size, 0);
	im_put(ip);
	image_check(&im);
}

static void the_only_free_block_is_given_again(void **state)
{
	struct ext4_inode *f, *g;
	struct ext4_map was, is;

	(void)state;
	f = im_create(&im, "/f");
	g = im_create(&im, "/g");
	im_write(f, 0, buf, 4096);
	assert_int_equal(ext4_map_blocks(f, 0, 1, 0, &was), 0);
	fill_but(0);
	assert_int_equal(ext4_truncate(f, 0), 0);
	im_write(g, 0, buf, 4096);
	assert_int_equal(ext4_map_blocks(g, 0, 1, 0, &is), 0);
	assert_int_equal(is.pblk, was.pblk); /* the reserve never goes to a file */
	im_put(f);
	im_put(g);
	image_check(&im);
}

static void busy_blocks_are_named_as_the_reason(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/f");
	struct ext4_statfs st;

	(void)state;
	im_write(ip, 0, buf, 8192);
	all_busy = true;
	assert_int_equal(ext4_write(ip, 8192, buf, 4096), -ENOSPC);
	assert_non_null(strstr(ext4_why(im.fs), "busy"));
	assert_true(ext4_blocked_by_busy(im.fs) > 0);
	ext4_statfs(im.fs, &st);
	assert_int_equal(st.enospc_busy, 1);
	all_busy = false;
	im_write(ip, 8192, buf, 4096);
	im_put(ip);
	image_check(&im);
}

/* All that is free goes to two files: the first one may lack a block for its own tree. */
static void fill_all(void)
{
	static const char *const name[] = {"/filler", "/rest"};

	for (int i = 0; i < 2; i++) {
		struct ext4_inode *ip = im_create(&im, name[i]);

		while (ext4_write(ip, ip->size, buf, sizeof(buf)) > 0)
			;
		im_put(ip);
	}
}

static int note_node(void *ctx, const struct ext4_extent_info *e)
{
	if (e->kind == EXT4_OWN_TREE)
		*(uint64_t *)ctx = e->pblk;
	return 0;
}

/* A hole that needs a node, on a full device: the block that the reserve gave for it. `busy`: one
 * that is held again once the reserve has it, zero: none. */
static uint64_t split_from_reserve(uint64_t busy)
{
	struct ext4_inode *ip = im_create(&im, "/f");
	struct ext4_map map;
	uint64_t node = 0;

	im_write(ip, 0, buf, 3 * 4096); /* four extents, all that an inode has room for */
	for (uint32_t b = 4; b < 10; b += 2)
		im_write(ip, b * 4096ull, buf, 4096);
	fill_all();
	busy_block = busy;
	assert_int_equal(ext4_punch_hole(ip, 4096, 4096), 0);
	assert_int_equal(ext4_map_blocks(ip, 1, 1, 0, &map), 0);
	assert_int_equal(map.state, EXT4_HOLE); /* not zeroed in place: there was a node */
	im_put(ip);
	assert_int_equal(ext4_for_each_extent(im.fs, note_node, &node), 0);
	image_check(&im);
	return node;
}

/* What was free when the reserve chose it may be held when the reserve gives it: its page is a part
 * of 2 MiB of which another part was freed under a holder (F-9). Then the next one is given. */
static void the_reserve_asks_when_it_gives(void **state)
{
	uint64_t first = split_from_reserve(0), second;

	(void)state;
	image_drop(&im);
	make(OURS); /* the same moves lead to the same block */
	second = split_from_reserve(first);
	assert_true(first && second && second != first);
}

/* No block may be taken at all, nor of the reserve, and yet every punch reads as zero. */
static void punching_with_everything_busy(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/f");
	struct ext4_statfs st;
	uint32_t kept = 0;

	(void)state;
	im_pattern(buf, 3 << 20, 1);
	/* five extents of two blocks and more: a tree; then a row of leaves with 3-block extents */
	for (uint32_t b = 0; b < 768; b += 4)
		im_write(ip, b * 4096ull, buf + b * 4096, 3 * 4096);
	for (uint32_t b = 0; b < 768; b += 4)
		memset(buf + (b + 3) * 4096, 0, 4096);
	fill_but(0);
	all_busy = true;
	for (uint32_t b = 0; b < 768; b += 4) {
		struct ext4_map map;

		assert_int_equal(ext4_punch_hole(ip, (b + 1) * 4096ull, 4096), 0);
		memset(buf + (b + 1) * 4096, 0, 4096);
		assert_int_equal(ext4_map_blocks(ip, b + 1, 1, 0, &map), 0);
		kept += map.state != EXT4_HOLE;
	}
	ext4_statfs(im.fs, &st);
	assert_int_equal(st.reserved_blocks, 0);
	assert_true(kept > 0); /* some were zeroed in place */
	assert_int_equal(ext4_punch_hole(ip, 4096 * 100, 4096 * 300), 0);
	memset(buf + 4096 * 100, 0, 4096 * 300);
	im_put(ip);
	image_check(&im);
	image_same(&im, "/f", buf, 767 * 4096);
	ip = im_open(&im, "/f");
	assert_int_equal(ext4_truncate(ip, 5000), 0);
	im_put(ip);
	im_unlink(&im, "/f");
	image_check(&im);
}

/* An insert that splits a leaf, with 0 to 4 blocks left for it: all or nothing. */
static void splitting_on_the_last_blocks(void **state)
{
	(void)state;
	for (uint32_t left = 0; left < 5; left++) {
		struct ext4_inode *ip;
		int64_t n;

		image_drop(&im);
		up(NULL);
		ip = im_create(&im, "/f");
		holey(ip, 683); /* 342 extents: the right leaf is full */
		fill_but(left);
		n = ext4_write(ip, 401 * 4096ull, buf, 100);
		assert_true(n == 100 || n == -ENOSPC);
		n = ext4_fallocate(ip, 501 * 4096ull, 4096, 0); /* joins nothing: unwritten */
		if (left > 3)
			assert_int_equal(n, 0);
		else
			assert_true(n == 0 || n == -ENOSPC);
		im_put(ip);
		image_check(&im);
	}
}

static void no_block_for_a_name(void **state)
{
	struct ext4_inode *root;
	struct ext4_statfs before, after;
	char name[256];
	int err = 0, made = 0;

	(void)state;
	fill_but(0);
	root = im_open(&im, "/");
	memset(name, 'n', 255);
	name[255] = '\0';
	for (; !err; made++) {
		ext4_statfs(im.fs, &before);
		snprintf(name, 5, "%04d", made);
		name[4] = 'n';
		err = ext4_create(root, name, 0644, NULL);
	}
	assert_int_equal(err, -ENOSPC);
	assert_true(made >= 10 && made <= 20);
	ext4_statfs(im.fs, &after);
	assert_int_equal(after.free_inodes, before.free_inodes);
	assert_int_equal(ext4_mkdir(root, "d", 0755, NULL), -ENOSPC);
	im_put(root);
	image_check(&im);
	/* one block left: mkdir takes it for the directory, then has none for the name */
	im_unlink(&im, "/filler");
	fill_but(1);
	root = im_open(&im, "/");
	snprintf(name, 5, "%04d", made);
	name[4] = 'n';
	assert_int_equal(ext4_mkdir(root, name, 0755, NULL), -ENOSPC);
	im_put(root);
	image_check(&im);
}

static void no_inode_left(void **state)
{
	struct ext4_inode *root = im_open(&im, "/");
	char name[16];
	int err = 0, made = 0;

	(void)state;
	for (; !err; made++) {
		snprintf(name, sizeof(name), "f%d", made);
		err = ext4_create(root, name, 0644, NULL);
	}
	assert_int_equal(err, -ENOSPC);
	assert_non_null(strstr(ext4_why(im.fs), "no free inode"));
	assert_int_equal(ext4_mkdir(root, "d", 0755, NULL), -ENOSPC);
	im_put(root);
	image_check(&im);
}

/* Where the root inode lies. */
static struct ext4_disk_inode *raw_root(void)
{
	struct ext4_group_desc *d = (struct ext4_group_desc *)(im.base + 4096);

	return (void *)(im.base + (uint64_t)d->bg_inode_table_lo * 4096 + 256);
}

static void too_many_links(void **state)
{
	struct ext4_inode *root;

	(void)state;
	raw_root()->i_links_count = 65000;
	root = im_open(&im, "/");
	assert_int_equal(ext4_mkdir(root, "d", 0755, NULL), -EMLINK);
	assert_non_null(strstr(ext4_why(im.fs), "dir_nlink"));
	im_put(root);
	raw_root()->i_links_count = 3;
	image_check(&im);
}

static void more_links_than_a_counter(void **state)
{
	struct ext4_inode *root;

	(void)state;
	raw_root()->i_links_count = 65000;
	root = im_open(&im, "/");
	assert_int_equal(ext4_mkdir(root, "d", 0755, NULL), 0);
	assert_int_equal(root->links, 1);
	im_rmdir(&im, "/d");
	assert_int_equal(root->links, 1);
	im_put(root);
	raw_root()->i_links_count = 3;
	image_check(&im);
}

int main(void)
{
#define T(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, down)
	const struct CMUnitTest tests[] = {
		T(a_full_device_says_so, up),
		T(the_only_free_block_is_given_again, up),
		T(busy_blocks_are_named_as_the_reason, up),
		T(the_reserve_asks_when_it_gives, up),
		T(punching_with_everything_busy, up),
		T(splitting_on_the_last_blocks, up),
		T(no_block_for_a_name, up),
		T(no_inode_left, few_inodes),
		T(too_many_links, up),
		T(more_links_than_a_counter, with_dir_nlink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
