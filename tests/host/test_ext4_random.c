/* SPDX-License-Identifier: MIT */
/*
 * Random operations against a model that keeps every file in an array.
 *
 * Seeded and reproducible.  Files are read back after every change of theirs; ext4_check runs
 * every hundred operations, e2fsck and a remount every thousand, debugfs at the end.  The image is
 * too small for what is asked, so -ENOSPC comes often.  Freed blocks stay busy for a while at
 * random, as if a device held them: the allocator must not touch those (I1), and freeing must
 * succeed even with everything busy (F-10).
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

#define FILES 12
#define MAX   (3u << 19) /* 1.5 MiB a file */

struct model {
	bool exists;
	char dir; /* '0'..'3' */
	uint8_t *data;
	uint64_t size;
};

static struct image im;
static struct model file[FILES];
static bool dir_there[4];
static uint8_t *busy; /* by block */
static uint8_t scratch[MAX], pattern[MAX];
static uint32_t seed, full;
static uint32_t busy_percent;

static uint32_t rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

static uint32_t idle_run(void *ctx, uint64_t pblk, uint32_t count)
{
	uint32_t n = 0;

	(void)ctx;
	while (n < count && !busy[pblk + n])
		n++;
	return n;
}

static void mark_some(void *ctx, struct ext4_inode *ip, const struct ext4_run *run, uint32_t n)
{
	(void)ctx;
	(void)ip;
	for (; n; n--, run++)
		for (uint32_t i = 0; i < run->count; i++)
			busy[run->pblk + i] = rnd(100) < busy_percent;
}

static const char *path_of(int i)
{
	static char path[64];

	snprintf(path, sizeof(path), "/dir%c/file%d", file[i].dir, i);
	return path;
}

static int pick(void)
{
	return (int)rnd(FILES);
}

/* An offset or length: often small, often at block edges. */
static uint64_t amount(void)
{
	switch (rnd(4)) {
	case 0: return rnd(10000);
	case 1: return rnd(MAX / 4096) * 4096;
	case 2: return rnd(MAX / 4096) * 4096 + rnd(3);
	default: return rnd(MAX);
	}
}

static void verify(int i, struct ext4_inode *ip)
{
	struct model *m = &file[i];

	assert_int_equal(ip->size, m->size);
	assert_int_equal(ext4_read(ip, 0, scratch, MAX), m->size);
	assert_same_bytes(scratch, m->data, m->size);
}

static void grow(struct model *m, uint64_t size)
{
	if (size > m->size)
		memset(m->data + m->size, 0, size - m->size);
	m->size = size;
}

static void make_dirs(void)
{
	char path[16];

	for (int d = 0; d < 4; d++) {
		snprintf(path, sizeof(path), "/dir%d", d);
		if (!dir_there[d])
			im_mkdir(&im, path);
		dir_there[d] = true;
	}
}

static void do_create(int i)
{
	struct ext4_inode *dir, *ip;
	char path[16], name[16];
	int err;

	file[i].dir = (char)('0' + rnd(4));
	snprintf(path, sizeof(path), "/dir%c", file[i].dir);
	snprintf(name, sizeof(name), "file%d", i);
	dir = im_open(&im, path);
	err = ext4_create(dir, name, 0644, &ip);
	ext4_iput(dir);
	if (err == -ENOSPC) {
		full++;
		return;
	}
	assert_int_equal(err, 0);
	file[i].exists = true;
	file[i].size = 0;
	im_put(ip);
}

static void do_write(int i, struct ext4_inode *ip)
{
	uint64_t off = amount(), len = amount();
	int64_t n;

	if (off >= MAX)
		return;
	if (len > MAX - off)
		len = MAX - off;
	if (!len)
		return;
	im_pattern(pattern, len, seed);
	n = ext4_write(ip, off, pattern, len);
	if (n < (int64_t)len)
		full++;
	if (n < 0) {
		assert_int_equal(n, -ENOSPC);
		return;
	}
	if (off > file[i].size)
		grow(&file[i], off);
	memcpy(file[i].data + off, pattern, (size_t)n);
	if (off + (uint64_t)n > file[i].size)
		file[i].size = off + (uint64_t)n;
}

static void do_truncate(int i, struct ext4_inode *ip)
{
	uint64_t size = amount();

	if (size > MAX)
		size = MAX;
	assert_int_equal(ext4_truncate(ip, size), 0);
	grow(&file[i], size);
}

static void do_punch(int i, struct ext4_inode *ip)
{
	uint64_t off = amount(), len = 1 + amount();

	assert_int_equal(ext4_punch_hole(ip, off, len), 0);
	if (off < file[i].size)
		memset(file[i].data + off, 0, len < file[i].size - off ? len : file[i].size - off);
}

static void do_fallocate(int i, struct ext4_inode *ip)
{
	uint64_t off = amount(), len = 1 + amount() / 4;
	uint32_t flags = rnd(2) ? EXT4_FALLOC_KEEP_SIZE : 0;
	int err;

	if (off >= MAX || len > MAX - off)
		return;
	err = ext4_fallocate(ip, off, len, flags);
	if (err == -ENOSPC) {
		full++;
		return;
	}
	assert_int_equal(err, 0);
	if (!flags && off + len > file[i].size)
		grow(&file[i], off + len);
}

/* What a store through a mapping does. */
static void do_fault(int i, struct ext4_inode *ip)
{
	uint64_t blocks = (file[i].size + 4095) / 4096, b;
	struct ext4_map map;
	int err;

	if (!blocks)
		return;
	b = rnd((uint32_t)blocks);
	err = ext4_map_blocks(ip, b, 1 + rnd(8), EXT4_MAP_CREATE, &map);
	if (err == -ENOSPC) {
		full++;
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(map.state, EXT4_WRITTEN);
	if (b * 4096 + 9 < file[i].size) {
		im.base[map.pblk * 4096 + 9] = (uint8_t)seed;
		file[i].data[b * 4096 + 9] = (uint8_t)seed;
	}
}

static void do_rename(int i)
{
	struct ext4_inode *from, *to;
	char path[16], name[16];
	int err;

	snprintf(path, sizeof(path), "/dir%c", file[i].dir);
	from = im_open(&im, path);
	path[4] = (char)('0' + rnd(4));
	to = im_open(&im, path);
	snprintf(name, sizeof(name), "file%d", i);
	err = ext4_rename(from, name, to, name);
	ext4_iput(from);
	ext4_iput(to);
	if (path[4] == file[i].dir)
		assert_int_equal(err, -EEXIST);
	else if (err == -ENOSPC)
		full++;
	else
		assert_int_equal(err, 0);
	if (!err)
		file[i].dir = path[4];
}

/* Unlink, sometimes while it is open and goes on being written. */
static void do_unlink(int i)
{
	struct ext4_inode *ip = im_open(&im, path_of(i));

	im_unlink(&im, path_of(i));
	if (rnd(2))
		do_write(i, ip);
	verify(i, ip);
	im_put(ip);
	file[i].exists = false;
}

static void one_operation(void)
{
	static void (*const ops[])(int, struct ext4_inode *) = {
		do_write, do_write, do_write,	  do_truncate,
		do_punch, do_punch, do_fallocate, do_fault,
	};
	struct ext4_inode *ip;
	int i = pick();

	if (!file[i].exists) {
		do_create(i);
		return;
	}
	if (rnd(12) == 0) {
		do_unlink(i);
		return;
	}
	if (rnd(12) == 0) {
		do_rename(i);
		return;
	}
	ip = im_open(&im, path_of(i));
	ops[rnd(sizeof(ops) / sizeof(ops[0]))](i, ip);
	verify(i, ip);
	im_put(ip);
}

static int not_busy(void *ctx, const struct ext4_extent_info *e)
{
	(void)ctx;
	for (uint32_t b = 0; b < e->count; b++)
		if (busy[e->pblk + b])
			return 1;
	return 0;
}

static void say(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "%s\n", line);
}

static void look_at_everything(uint32_t op)
{
	if (op % 100 == 0) {
		int n = ext4_check(im.fs, say, NULL);

		if (n)
			fail_msg("operation %u: ext4_check: %d %s", op, n, ext4_why(im.fs));
		assert_int_equal(ext4_for_each_extent(im.fs, not_busy, NULL), 0);
	}
	if (op % 1000 == 0)
		image_check(&im);
	if (op % 40 == 0 && rnd(2))
		for (uint64_t b = 0; b < im.size / 4096; b++)
			busy[b] &= rnd(3) == 0;
}

static void run(const char *mkfs, uint32_t mib, uint32_t ops, uint32_t start, uint32_t percent)
{
	image_make(&im, mib, mkfs);
	busy = calloc(im.size / 4096, 1);
	im.env.idle_run = idle_run;
	im.env.freeing = mark_some;
	busy_percent = percent;
	seed = start;
	full = 0;
	memset(dir_there, 0, sizeof(dir_there));
	image_up(&im);
	make_dirs();
	for (int i = 0; i < FILES; i++) {
		file[i].exists = false;
		file[i].data = malloc(MAX);
	}
	for (uint32_t op = 1; op <= ops; op++) {
		one_operation();
		look_at_everything(op);
	}
	image_check(&im);
	for (int i = 0; i < FILES; i++) {
		if (file[i].exists)
			image_same(&im, path_of(i), file[i].data, file[i].size);
		free(file[i].data);
	}
	image_drop(&im);
	free(busy);
}

static void plenty_of_room(void **state)
{
	(void)state;
	run(OURS, 64, 4000, 1001, 0);
	assert_int_equal(full, 0);
}

static void a_full_device(void **state)
{
	(void)state;
	run(OURS, 8, 6000, 1002, 0);
	assert_true(full > 100);
}

static void a_full_device_with_busy_blocks(void **state)
{
	(void)state;
	run(OURS, 8, 6000, 1003, 60);
	assert_true(full > 100);
}

static void everything_freed_stays_busy(void **state)
{
	(void)state;
	run(OURS, 8, 3000, 1004, 100);
	assert_true(full > 100);
}

static void many_small_groups(void **state)
{
	(void)state;
	run("-b 4096 -I 256 -g 512 -O none,filetype,extent,sparse_super,large_file,extra_isize,"
	    "flex_bg,uninit_bg,64bit,huge_file,dir_nlink",
	    8, 4000, 1005, 20);
	assert_true(full > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plenty_of_room),
		cmocka_unit_test(a_full_device),
		cmocka_unit_test(a_full_device_with_busy_blocks),
		cmocka_unit_test(everything_freed_stays_busy),
		cmocka_unit_test(many_small_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
