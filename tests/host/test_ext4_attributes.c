/* SPDX-License-Identifier: MIT */
/*
 * What a file's attributes ask for: immutable and append-only files under every operation, names
 * that stay, paths that end with '/', and times beyond 2038.
 */
/* LINK: tests/host/ext4_image.c dax/ext4/[a-z]*.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "dax/ext4/disk.h"
#include "tests/host/ext4_image.h"

#define B 4096u

static struct image im;
static uint8_t buf[3 * B];
static uint32_t the_time;

static int drop(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

/* /f has three blocks, one of them a hole; /d holds /d/g and the empty /d/sub. */
static int few_files(void **state)
{
	struct ext4_inode *ip;

	(void)state;
	image_make(&im, 8, OURS);
	image_up(&im);
	im_pattern(buf, sizeof(buf), 1);
	ip = im_create(&im, "/f");
	im_write(ip, 0, buf, B);
	im_write(ip, 2 * B, buf, B);
	im_put(ip);
	im_put(im_create(&im, "/other"));
	im_mkdir(&im, "/d");
	im_mkdir(&im, "/d/sub");
	im_put(im_create(&im, "/d/g"));
	return 0;
}

static void set_flags(const char *path, const char *flags)
{
	char request[100];

	image_down(&im);
	snprintf(request, sizeof(request), "sif %s flags %s", path, flags);
	image_debugfs(&im, true, request, NULL, 0);
	image_up(&im);
}

/* Every way to change /f; [n] succeeds on an append-only file if it only adds. */
static int change(int way, struct ext4_inode *f)
{
	struct ext4_inode *root = im_open(&im, "/"), *other = im_open(&im, "/other"), *ip = NULL;
	struct ext4_map map;
	int err = -1;

	switch (way) {
	case 0: err = (int)ext4_write(f, f->size, "end", 3); break;
	case 1: err = ext4_fallocate(f, 0, 4 * B, 0); break;
	case 2: err = (int)ext4_write(f, 5, "x", 1); break;
	case 3: err = ext4_truncate(f, 10); break;
	case 4: err = ext4_truncate(f, 100 * B); break;
	case 5: err = ext4_set_size(f, 10); break;
	case 6: err = ext4_free_blocks(f, 1, EXT4_TO_END); break;
	case 7: err = ext4_zero_range(f, 0, 10); break;
	case 8: err = ext4_punch_hole(f, 0, B); break;
	case 9: err = ext4_zero_blocks(f, 0, B, 0); break;
	case 10: err = ext4_make_unwritten(f, 0, 1); break;
	case 11: err = ext4_collapse_range(f, 0, B); break;
	case 12: err = ext4_insert_range(f, 0, B); break;
	case 13: err = ext4_exchange_range(f, 0, other, 0, B); break;
	case 14: err = ext4_exchange_range(other, 0, f, 0, B); break;
	case 15: err = ext4_map_blocks(f, 1, 1, EXT4_MAP_CREATE, &map); break;
	case 16: err = ext4_unlink(root, "f", &ip); break;
	case 17: err = ext4_rename(root, "f", root, "moved"); break;
	default: err = 1000;
	}
	if (ip && !err)
		im_put(ip);
	im_put(root);
	im_put(other);
	return err;
}

static void flags_of_a_file_hold(void **state)
{
	static const char *const flags[] = {"0x80010", "0x80020"};
	uint8_t got[3 * B + 1];
	int ways = 0;

	(void)state;
	for (int append = 0; append < 2; append++) {
		struct ext4_inode *f;
		uint64_t size;

		set_flags("/f", flags[append]);
		f = im_open(&im, "/f");
		size = f->size;
		for (int way = append ? 2 : 0; change(way, f) != 1000; way++, ways++)
			if (change(way, f) != -EPERM)
				fail_msg("way %d with flags %s: not refused", way, flags[append]);
		assert_int_equal(f->size, size);
		assert_int_equal(ext4_read(f, 0, got, sizeof(got)), 3 * B);
		assert_memory_equal(got, buf, B);
		if (append) {
			assert_int_equal(change(0, f), 3);
			assert_int_equal(change(1, f), 0);
		}
		assert_non_null(ext4_forbids(f, false));
		assert_int_equal(ext4_forbids(f, true) == NULL, append);
		im_put(f);
	}
	assert_int_equal(ways, 18 + 16);
	image_check(&im);
}

static void flags_of_a_directory_hold(void **state)
{
	static const char *const flags[] = {"0x80010", "0x80020"};
	struct ext4_inode *root, *d, *ip;

	(void)state;
	for (int append = 0; append < 2; append++) {
		set_flags("/d", flags[append]);
		root = im_open(&im, "/");
		d = im_open(&im, "/d");
		assert_int_equal(ext4_create(d, "new", 0644, NULL), append ? 0 : -EPERM);
		assert_int_equal(ext4_mkdir(d, "newdir", 0755, NULL), append ? 0 : -EPERM);
		assert_int_equal(ext4_rename(root, "other", d, "o"), append ? 0 : -EPERM);
		assert_int_equal(ext4_unlink(d, "g", &ip), -EPERM);
		assert_int_equal(ext4_rmdir(d, "sub", &ip), -EPERM);
		assert_int_equal(ext4_rename(d, "g", root, "g"), -EPERM);
		assert_int_equal(ext4_rename(d, "g", d, "h"), -EPERM);
		assert_int_equal(ext4_rename(root, "d", root, "e"), -EPERM);
		assert_int_equal(ext4_rmdir(root, "d", &ip), -EPERM);
		im_put(d);
		im_put(root);
	}
	image_check(&im);
}

static void lost_found_stays(void **state)
{
	struct ext4_inode *root = im_open(&im, "/"), *d = im_open(&im, "/d"), *ip;

	(void)state;
	assert_int_equal(ext4_rmdir(root, "lost+found", &ip), -EBUSY);
	assert_int_equal(ext4_rename(root, "lost+found", root, "x"), -EBUSY);
	im_mkdir(&im, "/d/lost+found"); /* only the one in the root is special */
	im_rmdir(&im, "/d/lost+found");
	im_put(d);
	im_put(root);
	image_check(&im);
}

static void a_slash_at_the_end_means_a_directory(void **state)
{
	char last[EXT4_NAME_MAX + 1];
	struct ext4_inode *ip;

	(void)state;
	assert_int_equal(ext4_walk(im.fs, "/f/", &ip), -ENOTDIR);
	assert_int_equal(ext4_walk(im.fs, "/f//", &ip), -ENOTDIR);
	assert_int_equal(ext4_walk_parent(im.fs, "/f/", &ip, last), -ENOTDIR);
	assert_int_equal(ext4_walk(im.fs, "/d/", &ip), 0);
	im_put(ip);
	assert_int_equal(ext4_walk_parent(im.fs, "/d/sub/", &ip, last), 0);
	assert_string_equal(last, "sub");
	im_put(ip);
	assert_int_equal(ext4_walk_parent(im.fs, "/d/none/", &ip, last), 0); /* mkdir makes it */
	im_put(ip);
	assert_int_equal(ext4_walk(im.fs, "/", &ip), 0);
	im_put(ip);
}

static uint32_t later(void)
{
	return the_time;
}

/* The seconds of a time as the tools of the host read them. */
static long long host_time(const char *path, const char *which)
{
	char out[4000], request[100], *line;
	uint32_t low, more;

	snprintf(request, sizeof(request), "stat %s", path);
	image_debugfs(&im, false, request, out, sizeof(out));
	line = strstr(out, which);
	assert_non_null(line);
	assert_int_equal(sscanf(line + strlen(which), ": 0x%x:%x", &low, &more), 2);
	return (int32_t)low + ((long long)(more & 3) << 32);
}

/* A time set far beyond 2038 by another system gives way to the present, and the present may lie
 * beyond 2038. */
static void times_have_their_epoch(void **state)
{
	static const uint32_t times[] = {1800000000u, 2147483647u, 2147483648u, 4000000000u};
	static const char *const names[] = {"ctime", "mtime"};

	(void)state;
	im.env.now = later;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct ext4_inode *f, *root;

		image_down(&im);
		image_debugfs(&im, true, "sif /f mtime 22000101", NULL, 0);
		image_debugfs(&im, true, "sif /f ctime 22000101", NULL, 0);
		assert_true(host_time("/f", "mtime") > 0x100000000ll);
		the_time = times[i];
		image_up(&im);
		f = im_open(&im, "/f");
		im_write(f, 0, "x", 1);
		im_put(f);
		im_put(im_create(&im, i % 2 ? "/n1" : "/n0"));
		root = im_open(&im, "/");
		assert_int_equal(ext4_collapse_range(f = im_open(&im, "/f"), 0, B), 0);
		im_write(f, 2 * B, buf, B);
		im_put(f);
		im_put(root);
		image_down(&im);
		for (int n = 0; n < 2; n++) {
			assert_int_equal(host_time("/f", names[n]), times[i]);
			assert_int_equal(host_time(i % 2 ? "/n1" : "/n0", names[n]), times[i]);
		}
		assert_int_equal(host_time(i % 2 ? "/n1" : "/n0", "crtime"), times[i]);
		image_up(&im);
		im_unlink(&im, i % 2 ? "/n1" : "/n0");
	}
}

/* An inode without room for the epoch stops in 2038 instead of starting again in 1901. */
static void small_inodes_stop_in_2038(void **state)
{
	struct ext4_inode *ip;
	uint32_t mtime;

	(void)state;
	image_make(&im, 8, "-b 4096 -I 128 -O none,filetype,extent");
	im.env.now = later;
	the_time = 4000000000u;
	image_up(&im);
	ip = im_create(&im, "/f");
	mtime = ip->raw->i_mtime;
	im_put(ip);
	assert_int_equal(mtime, 0x7FFFFFFF);
}

/* ---- what a stamp writes back ---- */

static const uint8_t *watched;
static size_t watched_bytes;
static unsigned watched_backs;

static void note_writeback(const void *p, size_t n)
{
	const uint8_t *from = p;

	watched_backs += from <= watched && watched + watched_bytes <= from + n;
}

/* Write-backs that cover `n` bytes from `field` on, by a write of one byte at `now`. */
static unsigned backs_of(struct ext4_inode *ip, const void *field, size_t n, uint32_t now)
{
	the_time = now;
	watched = field;
	watched_bytes = n;
	watched_backs = 0;
	im_write(ip, 0, "x", 1);
	return watched_backs;
}

/* All that a stamp changes goes back, once a second: the times, and beyond 2038 their epoch. */
static void a_stamp_goes_back_once_a_second(void **state)
{
	const struct ext4_disk_extra *extra;
	struct ext4_inode *ip;

	(void)state;
	im.env.now = later;
	im.env.writeback = note_writeback;
	image_down(&im);
	image_up(&im);
	ip = im_open(&im, "/f");
	extra = (const void *)(ip->raw + 1);
	assert_int_equal(backs_of(ip, &ip->raw->i_ctime, 8, 1800000000u), 1);
	assert_int_equal(backs_of(ip, &ip->raw->i_ctime, 8, 1800000000u), 0);
	assert_int_equal(backs_of(ip, &extra->i_ctime_extra, 8, 1800000001u), 0);
	assert_int_equal(backs_of(ip, &ip->raw->i_ctime, 8, 1800000002u), 1);
	assert_int_equal(backs_of(ip, &extra->i_ctime_extra, 8, 0x80000000u), 1);
	assert_int_equal(backs_of(ip, &ip->raw->i_ctime, 8, 0x80000000u), 0);
	im_put(ip);
	/* A new file's times of creation as well. */
	the_time = 0x80000001u;
	ip = im_create(&im, "/new");
	extra = (const void *)(ip->raw + 1);
	assert_true(extra->i_crtime == the_time && extra->i_crtime_extra == 1);
	im_put(ip);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, few_files, drop)
	const struct CMUnitTest tests[] = {
		T(flags_of_a_file_hold),
		T(flags_of_a_directory_hold),
		T(lost_found_stays),
		T(a_slash_at_the_end_means_a_directory),
		T(times_have_their_epoch),
		T(a_stamp_goes_back_once_a_second),
		cmocka_unit_test_teardown(small_inodes_stop_in_2038, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
