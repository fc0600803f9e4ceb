/* SPDX-License-Identifier: MIT */
/*
 * Names and life spans: directories, rename, unlinked files that are still held, sync, read-only
 * mounts.  After each step e2fsck -fn must find nothing.
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
static uint8_t buf[100000];

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
