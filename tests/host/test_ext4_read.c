/* SPDX-License-Identifier: MIT */
/*
 * Images made by others, read (and then changed) by us: mkfs.ext4 -d, debugfs write, several
 * sizes and feature sets, hash-indexed directories, deep trees, holes, attributes.
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
static uint8_t buf[4 << 20];
static char dir[64];

static void sh_ok(const char *cmd)
{
	char out[2000];

	if (image_sh(out, sizeof(out), "{ %s; } 2>&1", cmd))
		fail_msg("%s: %s", cmd, out);
}

static void host_file(const char *path, const void *data, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	fclose(f);
}

static int temp_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/hf-ext4-dir-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_all(void **state)
{
	char out[100];

	(void)state;
	image_sh(out, sizeof(out), "rm -rf %s", dir);
	image_drop(&im);
	return 0;
}

/* Make an image filled from a directory of the host with a few known files. */
static void image_from_host(uint32_t mib, const char *args)
{
	char cmd[300];

	im_pattern(buf, 3000000, 11);
	snprintf(cmd, sizeof(cmd), "mkdir -p %s/d/e; printf hello > %s/small; : > %s/empty", dir,
		 dir, dir);
	sh_ok(cmd);
	snprintf(cmd, sizeof(cmd), "%s/d/e/large", dir);
	host_file(cmd, buf, 3000000);
	snprintf(cmd, sizeof(cmd), "ln -s small %s/link; ln %s/small %s/d/hard", dir, dir, dir);
	sh_ok(cmd);
	snprintf(cmd, sizeof(cmd), "%s -d %s", args, dir);
	image_make(&im, mib, cmd);
}

/* What image_from_host made reads right; then we change it and e2fsck agrees. */
static void read_then_change(uint32_t mib, const char *args)
{
	struct ext4_inode *ip;

	image_from_host(mib, args);
	image_up(&im);
	assert_string_equal(im.said, "");
	assert_int_equal(ext4_check(im.fs, NULL, NULL), 0);
	im_expect(&im, "/small", "hello", 5);
	im_expect(&im, "/d/hard", "hello", 5);
	im_expect(&im, "/empty", "", 0);
	im_expect(&im, "/d/e/large", buf, 3000000);
	ip = im_open(&im, "/small");
	assert_int_equal(ip->links, 2);
	im_put(ip);
	ip = im_open(&im, "/d/e/large");
	im_write(ip, 2999990, "overwrite and append", 20);
	memcpy(buf + 2999990, "overwrite and append", 20);
	assert_int_equal(ext4_punch_hole(ip, 40960, 8192), 0);
	memset(buf + 40960, 0, 8192);
	im_put(ip);
	im_unlink(&im, "/small");
	im_unlink(&im, "/link");
	im_mkdir(&im, "/d/new");
	im_put(im_create(&im, "/d/new/file"));
	image_check(&im);
	image_same(&im, "/d/e/large", buf, 3000010);
	im_expect(&im, "/d/hard", "hello", 5);
	im_unlink(&im, "/d/hard");
	im_unlink(&im, "/d/e/large");
	image_check(&im);
}

static void ours(void **state)
{
	(void)state;
	read_then_change(16, OURS);
}

static void inode_size_128(void **state)
{
	(void)state;
	read_then_change(16, "-b 4096 -I 128 -O none,filetype,extent,sparse_super,large_file");
}

static void flex_bg_and_64bit(void **state)
{
	(void)state;
	read_then_change(64,
			 "-b 4096 -I 256 -g 2048 -O none,filetype,extent,sparse_super,large_file,"
			 "extra_isize,flex_bg,64bit,huge_file,dir_nlink");
}

static void uninitialised_groups(void **state)
{
	(void)state;
	read_then_change(64,
			 "-b 4096 -I 256 -g 2048 -O none,filetype,extent,sparse_super,large_file,"
			 "extra_isize,flex_bg,uninit_bg,dir_nlink");
}

static void uninitialised_groups_64bit(void **state)
{
	(void)state;
	read_then_change(64,
			 "-b 4096 -I 256 -g 2048 -O none,filetype,extent,sparse_super,large_file,"
			 "extra_isize,64bit,uninit_bg");
}

static void mkfs_defaults_without_journal(void **state)
{
	(void)state;
	read_then_change(64, "-b 4096 -I 256 -O ^has_journal,^metadata_csum");
}

static void without_sparse_super(void **state)
{
	(void)state;
	read_then_change(64, "-b 4096 -I 256 -g 2048 -O none,filetype,extent,large_file");
}

/* Fill enough groups that each uninitialised one is entered. */
static void filling_uninitialised_groups(void **state)
{
	char path[32];

	(void)state;
	read_then_change(64, "-b 4096 -I 256 -g 2048 -N 512 -O none,filetype,extent,sparse_super,"
			     "large_file,extra_isize,flex_bg,uninit_bg");
	im_pattern(buf, 1 << 20, 12);
	for (int i = 0; i < 50; i++) {
		struct ext4_inode *ip;

		snprintf(path, sizeof(path), "/fill%d", i);
		ip = im_create(&im, path);
		im_write(ip, 0, buf, 1 << 20);
		im_put(ip);
	}
	for (int i = 0; i < 400; i++) {
		snprintf(path, sizeof(path), "/n%d", i);
		im_put(im_create(&im, path));
	}
	image_check(&im);
	for (int i = 0; i < 50; i += 7) {
		snprintf(path, sizeof(path), "/fill%d", i);
		image_same(&im, path, buf, 1 << 20);
	}
	for (int i = 0; i < 400; i++) {
		snprintf(path, sizeof(path), "/n%d", i);
		im_unlink(&im, path);
	}
	image_check(&im);
}

static void debugfs_writes_we_read(void **state)
{
	char cmd[300];

	(void)state;
	image_make(&im, 16, OURS);
	im_pattern(buf, 1234567, 13);
	snprintf(cmd, sizeof(cmd), "%s/src", dir);
	host_file(cmd, buf, 1234567);
	image_debugfs(&im, true, "mkdir sub", NULL, 0);
	snprintf(cmd, sizeof(cmd), "write %s/src copied", dir);
	image_debugfs(&im, true, cmd, NULL, 0);
	image_up(&im);
	im_expect(&im, "/copied", buf, 1234567);
	im_put(im_create(&im, "/sub/ours"));
	image_check(&im);
}

/* mkfs -d makes holes of zeroes: many extents, a tree with blocks. */
static void deep_tree_from_the_host(void **state)
{
	char cmd[300];
	struct ext4_inode *ip;

	(void)state;
	im_pattern(buf, sizeof(buf), 14);
	for (size_t b = 1; b < sizeof(buf) / 4096; b += 2)
		memset(buf + b * 4096, 0, 4096);
	snprintf(cmd, sizeof(cmd), "%s/holey", dir);
	host_file(cmd, buf, sizeof(buf));
	snprintf(cmd, sizeof(cmd), "%s -d %s", OURS, dir);
	image_make(&im, 16, cmd);
	image_up(&im);
	im_expect(&im, "/holey", buf, sizeof(buf));
	ip = im_open(&im, "/holey");
	for (uint32_t b = 1; b < 400; b += 2) {
		im_write(ip, b * 4096ull, "filled", 6);
		memcpy(buf + b * 4096, "filled", 6);
	}
	im_put(ip);
	image_check(&im);
	image_same(&im, "/holey", buf, sizeof(buf));
	im_unlink(&im, "/holey");
	image_check(&im);
}

static uint32_t inode_flags(const char *path)
{
	char out[4000], *flags;
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "stat %s", path);
	image_debugfs(&im, false, cmd, out, sizeof(out));
	flags = strstr(out, "Flags: ");
	assert_non_null(flags);
	return (uint32_t)strtoul(flags + 7, NULL, 0);
}

static void indexed_directory_of_2000(void **state)
{
	char cmd[400], path[64];
	struct ext4_inode *d;
	struct ext4_dirent_info info;
	uint64_t pos = 0;
	int n = 0;

	(void)state;
	snprintf(cmd, sizeof(cmd),
		 "mkdir %s/many; for i in $(seq 2000); do : > %s/many/an-entry-of-some-length-$i; "
		 "done",
		 dir, dir);
	sh_ok(cmd);
	snprintf(cmd, sizeof(cmd),
		 "-b 4096 -I 256 -O none,filetype,extent,dir_index,large_file -d %s", dir);
	image_make(&im, 32, cmd);
	/* mkfs writes plain directories; e2fsck -D indexes them */
	image_sh(cmd, sizeof(cmd), "PATH=/usr/sbin:/sbin:$PATH e2fsck -fyD %s 2>&1", im.path);
	assert_true(inode_flags("/many") & 0x1000);
	image_up(&im);
	d = im_open(&im, "/many");
	while (ext4_readdir(d, &pos, &info) == 1)
		n++;
	assert_int_equal(n, 2002);
	im_put(d);
	for (int i = 1; i <= 2000; i += 37) {
		snprintf(path, sizeof(path), "/many/an-entry-of-some-length-%d", i);
		im_put(im_open(&im, path));
	}
	image_down(&im);
	image_fsck(&im);
	assert_true(inode_flags("/many") & 0x1000); /* reading changes nothing */
	image_up(&im);
	im_unlink(&im, "/many/an-entry-of-some-length-1000");
	im_put(im_create(&im, "/many/ours"));
	image_check(&im);
	assert_false(inode_flags("/many") & 0x1000);
	im_put(im_open(&im, "/many/an-entry-of-some-length-2000"));
}

static void sixteen_gib_sparse(void **state)
{
	struct ext4_inode *ip;
	struct ext4_map map;

	(void)state;
	image_make(&im, 16 << 10, OURS);
	image_up(&im);
	ip = im_create(&im, "/big");
	assert_int_equal(ext4_fallocate(ip, 0, 12ull << 30, 0), 0);
	assert_int_equal(ext4_map_blocks(ip, 2 << 18, 512, EXT4_MAP_CREATE, &map), 0);
	assert_int_equal(map.count, 512);
	im_put(ip);
	image_check(&im);
	im_unlink(&im, "/big");
	image_check(&im);
}

static void xattr_block_goes_with_its_file(void **state)
{
	(void)state;
	image_make(&im, 16, "-b 4096 -I 128 -O none,filetype,extent,ext_attr,large_file");
	image_debugfs(&im, true, "mkdir d", NULL, 0);
	image_debugfs(&im, true, "ea_set d user.colour green", NULL, 0);
	image_fsck(&im);
	image_up(&im);
	assert_int_equal(ext4_check(im.fs, NULL, NULL), 0);
	im_rmdir(&im, "/d");
	image_check(&im);
}

static void block_owner_names_the_file(void **state)
{
	struct ext4_inode *ip;
	struct ext4_extent_info owner;
	struct ext4_map map;

	(void)state;
	image_make(&im, 16, OURS);
	image_up(&im);
	ip = im_create(&im, "/o");
	im_write(ip, 8192, "x", 1);
	assert_int_equal(ext4_map_blocks(ip, 2, 1, 0, &map), 0);
	assert_int_equal(ext4_block_owner(im.fs, map.pblk, &owner), 0);
	assert_int_equal(owner.ino, ip->ino);
	assert_int_equal(owner.lblk, 2);
	assert_int_equal(owner.kind, EXT4_OWN_DATA);
	assert_int_equal(ext4_block_owner(im.fs, 0, &owner), 0);
	assert_int_equal(owner.kind, EXT4_OWN_META);
	assert_int_equal(ext4_truncate(ip, 0), 0);
	assert_int_equal(ext4_block_owner(im.fs, map.pblk, &owner), -ENOENT);
	im_put(ip);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, temp_dir, remove_all)
	const struct CMUnitTest tests[] = {
		T(ours),
		T(inode_size_128),
		T(flex_bg_and_64bit),
		T(uninitialised_groups),
		T(uninitialised_groups_64bit),
		T(mkfs_defaults_without_journal),
		T(without_sparse_super),
		T(filling_uninitialised_groups),
		T(debugfs_writes_we_read),
		T(deep_tree_from_the_host),
		T(indexed_directory_of_2000),
		T(sixteen_gib_sparse),
		T(xattr_block_goes_with_its_file),
		T(block_owner_names_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
