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
	static const uint32_t sizes[] = {8000000, 7999999, 4096 * 800 + 1, 4096 * 8, 4096 * 7, 5, 0};

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

static void directories(void **state)
{
	char path[64];

	(void)state;
	im_mkdir(&im, "/a");
	im_mkdir(&im, "/a/b");
	im_mkdir(&im, "/a/b/c");
	image_check(&im);
	for (int i = 0; i < 600; i++) {
		snprintf(path, sizeof(path), "/a/b/file-with-a-longer-name-%d", i);
		im_put(im_create(&im, path));
	}
	image_check(&im);
	for (int i = 0; i < 600; i += 2) {
		snprintf(path, sizeof(path), "/a/b/file-with-a-longer-name-%d", i);
		im_unlink(&im, path);
	}
	image_check(&im);
	for (int i = 1; i < 600; i += 2) {
		snprintf(path, sizeof(path), "/a/b/file-with-a-longer-name-%d", i);
		im_unlink(&im, path);
	}
	im_rmdir(&im, "/a/b/c");
	im_rmdir(&im, "/a/b");
	im_rmdir(&im, "/a");
	image_check(&im);
}

static void readdir_sees_every_name_once(void **state)
{
	struct ext4_inode *root;
	struct ext4_dirent_info info;
	uint64_t pos = 0;
	char path[32];
	int seen[300] = {0}, others = 0, n, r;

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/n%d", i);
		im_put(im_create(&im, path));
	}
	root = im_open(&im, "/");
	while ((r = ext4_readdir(root, &pos, &info)) == 1) {
		if (sscanf(info.name, "n%d", &n) == 1)
			seen[n]++;
		else
			others++;
	}
	assert_int_equal(r, 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(others, 3); /* . .. lost+found */
	im_put(root);
}

static void refusals_of_names(void **state)
{
	struct ext4_inode *root = im_open(&im, "/"), *ip;
	char name[300];

	(void)state;
	memset(name, 'n', 256);
	name[256] = '\0';
	assert_int_equal(ext4_create(root, name, 0644, NULL), -ENAMETOOLONG);
	assert_int_equal(ext4_create(root, "", 0644, NULL), -EINVAL);
	assert_int_equal(ext4_create(root, "a/b", 0644, NULL), -EINVAL);
	assert_int_equal(ext4_create(root, "..", 0644, NULL), -EINVAL);
	assert_int_equal(ext4_create(root, "f", 0644, NULL), 0);
	assert_int_equal(ext4_create(root, "f", 0644, NULL), -EEXIST);
	assert_int_equal(ext4_mkdir(root, "f", 0755, NULL), -EEXIST);
	assert_int_equal(ext4_mkdir(root, "d", 0755, NULL), 0);
	assert_int_equal(ext4_create(root, name + 1, 0644, NULL), 0); /* 255 bytes fit */
	assert_int_equal(ext4_unlink(root, "d", &ip), -EISDIR);
	assert_int_equal(ext4_rmdir(root, "f", &ip), -ENOTDIR);
	assert_int_equal(ext4_rmdir(root, "lost+found/..", &ip), -EINVAL);
	assert_int_equal(ext4_unlink(root, "nothing", &ip), -ENOENT);
	assert_int_equal(ext4_walk(im.fs, "/f/x", &ip), -ENOTDIR);
	assert_int_equal(ext4_walk(im.fs, "/none/x", &ip), -ENOENT);
	assert_int_equal(ext4_walk(im.fs, "relative", &ip), -EINVAL);
	assert_int_equal(ext4_walk(im.fs, "//d/.././/f", &ip), 0);
	im_put(ip);
	im_put(im_create(&im, "/d/x"));
	assert_int_equal(ext4_rmdir(root, "d", &ip), -ENOTEMPTY);
	im_put(root);
	image_check(&im);
}

static void renames(void **state)
{
	struct ext4_inode *root, *a, *b;

	(void)state;
	im_mkdir(&im, "/a");
	im_mkdir(&im, "/b");
	im_mkdir(&im, "/a/sub");
	im_put(im_create(&im, "/a/f"));
	root = im_open(&im, "/");
	a = im_open(&im, "/a");
	b = im_open(&im, "/b");
	assert_int_equal(ext4_rename(a, "f", a, "g"), 0);
	assert_int_equal(ext4_rename(a, "g", b, "f"), 0);
	assert_int_equal(ext4_rename(a, "sub", b, "sub2"), 0);
	assert_int_equal(ext4_rename(root, "b", b, "x"), -EINVAL);
	assert_int_equal(ext4_rename(root, "a", b, "f"), -EEXIST);
	im_put(root);
	im_put(a);
	im_put(b);
	image_check(&im);
	im_put(im_open(&im, "/b/f"));
	im_put(im_open(&im, "/b/sub2/../f"));
	im_rmdir(&im, "/a");
	image_check(&im);
}

static void an_unlinked_file_lives_until_the_last_put(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/gone"), *root, *victim;
	struct ext4_statfs before, after;
	char got[8];

	(void)state;
	im_pattern(buf, 100000, 9);
	ext4_statfs(im.fs, &before);
	im_write(ip, 0, buf, 100000);
	root = im_open(&im, "/");
	assert_int_equal(ext4_unlink(root, "gone", &victim), 0);
	assert_ptr_equal(victim, ip);
	assert_false(ext4_iput(victim));
	assert_int_equal(ext4_read(ip, 50000, got, 8), 8);
	assert_memory_equal(got, buf + 50000, 8);
	assert_int_equal(ext4_unmount(im.fs), -EBUSY);
	assert_int_equal(ext4_sync(im.fs), 0);
	ext4_statfs(im.fs, &after);
	assert_true(after.dirty); /* an orphan needs the next mount's repair */
	assert_int_equal(ext4_check(im.fs, NULL, NULL), 0);
	assert_true(ext4_iput(ip));
	assert_int_equal(ext4_unmount(im.fs), -EBUSY);
	assert_int_equal(ext4_evict(ip), 0);
	ext4_statfs(im.fs, &after);
	assert_int_equal(after.free_blocks, before.free_blocks);
	im_put(root);
	image_check(&im);
}

static void several_orphans_in_any_order(void **state)
{
	struct ext4_inode *ip[5], *root = im_open(&im, "/"), *victim;
	static const int order[] = {2, 0, 4, 1, 3};
	char name[16];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "o%d", i);
		assert_int_equal(ext4_create(root, name, 0600, &ip[i]), 0);
		im_write(ip[i], 0, buf, 5000);
		assert_int_equal(ext4_unlink(root, name, &victim), 0);
		assert_false(ext4_iput(victim));
	}
	for (int i = 0; i < 5; i++)
		im_put(ip[order[i]]);
	im_put(root);
	image_check(&im);
}

static void sync_makes_the_image_clean(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/s");

	(void)state;
	im_write(ip, 0, "synced", 6);
	assert_int_equal(ext4_fsync(ip), 0);
	assert_int_equal(ext4_sync(im.fs), 0);
	image_fsck(&im); /* while mounted */
	image_same(&im, "/s", "synced", 6);
	im_write(ip, 6, "!", 1); /* dirty again */
	im_put(ip);
	image_check(&im);
}

static void readonly_refuses_changes(void **state)
{
	struct ext4_inode *root, *victim, *ip = im_create(&im, "/r");

	(void)state;
	im_put(ip);
	image_down(&im);
	im.env.readonly = true;
	image_up(&im);
	root = im_open(&im, "/");
	ip = im_open(&im, "/r");
	assert_int_equal(ext4_create(root, "x", 0644, NULL), -EROFS);
	assert_int_equal(ext4_unlink(root, "r", &victim), -EROFS);
	assert_int_equal(ext4_write(ip, 0, "x", 1), -EROFS);
	assert_int_equal(ext4_truncate(ip, 10), -EROFS);
	assert_non_null(strstr(ext4_why(im.fs), "read-only"));
	im_put(ip);
	im_put(root);
	image_down(&im);
	image_fsck(&im);
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
		T(directories),
		T(readdir_sees_every_name_once),
		T(refusals_of_names),
		T(renames),
		T(an_unlinked_file_lives_until_the_last_put),
		T(several_orphans_in_any_order),
		T(sync_makes_the_image_clean),
		T(readonly_refuses_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
