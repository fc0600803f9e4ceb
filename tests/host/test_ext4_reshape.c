/* SPDX-License-Identifier: MIT */
/*
 * Zero range, collapse range, insert range, exchange: what they do, what they refuse, and random
 * sequences of them against a model in memory.  e2fsck -fn must find nothing after each.
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

#define B   4096ull
#define MAX (2048 * B)

static struct image im;
static uint8_t buf[MAX], model[2][MAX];
static uint64_t told; /* blocks that env.freeing was told of */

static void freeing(void *ctx, struct ext4_inode *ip, const struct ext4_run *run, uint32_t n)
{
	(void)ctx, (void)ip;
	for (uint32_t i = 0; i < n; i++)
		told += run[i].count;
}

static int up(void **state)
{
	(void)state;
	image_make(&im, 16, OURS);
	im.env.freeing = freeing;
	image_up(&im);
	told = 0;
	return 0;
}

static int down(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

static uint64_t free_blocks(void)
{
	struct ext4_statfs st;

	ext4_statfs(im.fs, &st);
	return st.free_blocks;
}

static enum ext4_map_state state_of(struct ext4_inode *ip, uint64_t lblk)
{
	struct ext4_map map;

	assert_int_equal(ext4_map_blocks(ip, lblk, 1, 0, &map), 0);
	return map.state;
}

static uint64_t pblk_of(struct ext4_inode *ip, uint64_t lblk)
{
	struct ext4_map map;

	assert_int_equal(ext4_map_blocks(ip, lblk, 1, 0, &map), 0);
	return map.pblk;
}

static struct ext4_inode *file(const char *path, uint64_t size, uint32_t seed)
{
	struct ext4_inode *ip = im_create(&im, path);

	im_pattern(buf, size, seed);
	im_write(ip, 0, buf, size);
	return ip;
}

/* Refused with a sentence that has @words in it, and nothing is different. */
#define REFUSED(call, err, words)                                                                  \
	do {                                                                                       \
		uint64_t free_before = free_blocks();                                              \
		assert_int_equal(call, err);                                                       \
		if (!strstr(ext4_why(im.fs), words))                                               \
			fail_msg("'%s' lacks '%s'", ext4_why(im.fs), words);                       \
		assert_int_equal(free_blocks(), free_before);                                      \
	} while (0)

static void zero_keeps_the_blocks(void **state)
{
	struct ext4_inode *ip = file("/f", 10 * B, 1);
	uint64_t free_before = free_blocks(), block = pblk_of(ip, 4);

	(void)state;
	assert_int_equal(ext4_zero_blocks(ip, 3 * B - 7, 3 * B + 14, 0), 0);
	memset(buf + 3 * B - 7, 0, 3 * B + 14);
	assert_int_equal(state_of(ip, 2), EXT4_WRITTEN);
	assert_int_equal(state_of(ip, 4), EXT4_UNWRITTEN);
	assert_int_equal(pblk_of(ip, 4), block);
	assert_int_equal(free_blocks(), free_before);
	assert_int_equal(told, 0);
	im_write(ip, 4 * B + 1, "x", 1); /* the block's old bytes must not come back */
	buf[4 * B + 1] = 'x';
	im_put(ip);
	image_check(&im);
	im_expect(&im, "/f", buf, 10 * B);
}

static void zero_fills_holes_and_extends(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/f");

	(void)state;
	memset(buf, 0, MAX);
	assert_int_equal(ext4_zero_blocks(ip, 2 * B + 5, 4 * B, 0), 0);
	assert_int_equal(ip->size, 6 * B + 5);
	assert_int_equal(state_of(ip, 2), EXT4_UNWRITTEN);
	assert_int_equal(state_of(ip, 6), EXT4_UNWRITTEN);
	assert_int_equal(ext4_zero_blocks(ip, 10 * B, B, EXT4_FALLOC_KEEP_SIZE), 0);
	assert_int_equal(ip->size, 6 * B + 5);
	im_put(ip);
	image_check(&im);
	im_expect(&im, "/f", buf, 6 * B + 5);
}

static void collapse_takes_out(void **state)
{
	struct ext4_inode *ip = file("/f", 10 * B + 77, 2);
	uint64_t free_before = free_blocks(), block = pblk_of(ip, 6);

	(void)state;
	assert_int_equal(ext4_collapse_range(ip, 2 * B, 3 * B), 0);
	memmove(buf + 2 * B, buf + 5 * B, 5 * B + 77);
	assert_int_equal(ip->size, 7 * B + 77);
	assert_int_equal(pblk_of(ip, 3), block); /* moved, not copied */
	assert_int_equal(free_blocks(), free_before + 3);
	assert_int_equal(told, 3);
	im_put(ip);
	image_check(&im);
	im_expect(&im, "/f", buf, 7 * B + 77);
}

static void insert_makes_a_hole(void **state)
{
	struct ext4_inode *ip = file("/f", 10 * B + 77, 3);
	uint64_t free_before = free_blocks(), block = pblk_of(ip, 6);

	(void)state;
	assert_int_equal(ext4_insert_range(ip, 2 * B, 3 * B), 0);
	memmove(buf + 5 * B, buf + 2 * B, 8 * B + 77);
	memset(buf + 2 * B, 0, 3 * B);
	assert_int_equal(ip->size, 13 * B + 77);
	assert_int_equal(state_of(ip, 2), EXT4_HOLE);
	assert_int_equal(pblk_of(ip, 9), block);
	assert_int_equal(free_blocks(), free_before);
	assert_int_equal(told, 0);
	/* the two undo each other, down to a single extent */
	assert_int_equal(ext4_collapse_range(ip, 2 * B, 3 * B), 0);
	assert_int_equal(ext4_insert_range(ip, 2 * B, 3 * B), 0);
	im_put(ip);
	image_check(&im);
	im_expect(&im, "/f", buf, 13 * B + 77);
}

static void exchange_swaps_blocks(void **state)
{
	static uint8_t other[6 * B];
	struct ext4_inode *b = file("/b", 6 * B, 5), *a;
	uint64_t of_b = pblk_of(b, 1), of_a, free_before;

	(void)state;
	memcpy(other, buf, sizeof(other));
	a = file("/a", 9 * B + 1, 4);
	assert_int_equal(ext4_punch_hole(b, 2 * B, B), 0);
	memset(other + 2 * B, 0, B);
	of_a = pblk_of(a, 5);
	free_before = free_blocks();
	assert_int_equal(ext4_exchange_range(a, 5 * B, b, B, 3 * B), 0);
	assert_int_equal(pblk_of(a, 5), of_b);
	assert_int_equal(pblk_of(b, 1), of_a);
	assert_int_equal(state_of(a, 6), EXT4_HOLE);
	assert_int_equal(free_blocks(), free_before);
	for (uint64_t i = 0; i < 3 * B; i++) {
		uint8_t byte = buf[5 * B + i];

		buf[5 * B + i] = other[B + i];
		other[B + i] = byte;
	}
	im_put(a);
	im_put(b);
	image_check(&im);
	im_expect(&im, "/a", buf, 9 * B + 1);
	im_expect(&im, "/b", other, 6 * B);
}

static void refusals(void **state)
{
	struct ext4_inode *ip = file("/f", 10 * B + 9, 6), *b = file("/b", 3 * B + 8, 7);
	struct ext4_inode *root = im_open(&im, "/");

	(void)state;
	REFUSED(ext4_collapse_range(ip, 1, B), -EINVAL, "multiples");
	REFUSED(ext4_collapse_range(ip, B, B + 1), -EINVAL, "multiples");
	REFUSED(ext4_collapse_range(ip, B, 0), -EINVAL, "at least one");
	REFUSED(ext4_collapse_range(ip, 8 * B, 3 * B), -EINVAL, "truncate");
	REFUSED(ext4_collapse_range(ip, 0, UINT64_MAX & ~(B - 1)), -EFBIG, "largest file");
	REFUSED(ext4_collapse_range(root, 0, B), -EISDIR, "directory");
	REFUSED(ext4_insert_range(ip, 1, B), -EINVAL, "multiples");
	REFUSED(ext4_insert_range(ip, 11 * B, B), -EINVAL, "truncate");
	REFUSED(ext4_insert_range(ip, 0, 0xFFFFFFFFull * B), -EFBIG, "largest file");
	REFUSED(ext4_insert_range(root, 0, B), -EISDIR, "directory");
	REFUSED(ext4_exchange_range(ip, 0, ip, 2 * B, B), -EINVAL, "two files");
	REFUSED(ext4_exchange_range(ip, 1, b, 1, B), -EINVAL, "whole");
	REFUSED(ext4_exchange_range(ip, 0, b, 0, 0), -EINVAL, "whole");
	REFUSED(ext4_exchange_range(ip, 0, b, 0, 3 * B + 8), -EINVAL, "whole");
	REFUSED(ext4_exchange_range(ip, 0, b, 0, 4 * B), -EINVAL, "beyond the end");
	REFUSED(ext4_exchange_range(b, 0, ip, 10 * B, B), -EINVAL, "beyond the end");
	REFUSED(ext4_exchange_range(b, 0, root, 0, B), -EISDIR, "directory");
	REFUSED(ext4_zero_blocks(ip, 0, 0, 0), -EINVAL, "at least one");
	REFUSED(ext4_zero_blocks(ip, UINT64_MAX, 2, 0), -EFBIG, "largest");
	/* blocks kept behind the end must not be pushed over the last block number */
	assert_int_equal(ext4_fallocate(ip, 0xFFFFFFFEull * B - B, B, EXT4_FALLOC_KEEP_SIZE), 0);
	REFUSED(ext4_insert_range(ip, 0, 2 * B), -EFBIG, "block number");
	im_put(root);
	im_put(ip);
	im_put(b);
	image_check(&im);
	im_pattern(buf, 10 * B + 9, 6);
	im_expect(&im, "/f", buf, 10 * B + 9);
}

/* 1000 extents on a device without a free block: collapse uses the reserve, the others refuse. */
static void full_device(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/f"), *fill = im_create(&im, "/fill"), *b;
	uint64_t n = 1, at = 0;

	(void)state;
	b = file("/b", B, 8);
	for (uint64_t i = 0; i < 1000; i++)
		im_write(ip, i * 2 * B, "#", 1);
	while (n)
		if (ext4_fallocate(fill, at, n * B, 0))
			n /= 2;
		else
			at += n * B, n *= 2;
	REFUSED(ext4_insert_range(ip, B, B), -ENOSPC, "no free block");
	REFUSED(ext4_exchange_range(ip, 4 * B, b, 0, B), -ENOSPC, "no free block");
	REFUSED(ext4_zero_blocks(ip, 0, 9 * B, 0), -ENOSPC, "no free block");
	im_expect(&im, "/b", buf, B);
	assert_int_equal(ext4_collapse_range(ip, B, B), 0);
	memset(buf, 0, MAX);
	for (uint64_t i = 0; i < 1000; i++)
		buf[i ? (i * 2 - 1) * B : 0] = '#';
	im_expect(&im, "/f", buf, 1998 * B - B + 1);
	im_put(ip);
	im_put(b);
	im_put(fill);
	image_check(&im);
}

static uint32_t rng(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

/* One random operation on both the file and the model. */
static void random_op(struct ext4_inode **ip, uint32_t *s)
{
	int i = (int)(rng(s) % 2);
	uint64_t off = rng(s) % 200 * B, len = (1 + rng(s) % 20) * B, size = ip[i]->size;
	uint64_t at = rng(s) % 200 * B;

	switch (rng(s) % 6) {
	case 0:
		im_pattern(buf, len, *s);
		im_write(ip[i], off, buf, len - 100);
		memcpy(model[i] + off, buf, len - 100);
		break;
	case 1:
		off += rng(s) % B;
		assert_int_equal(ext4_zero_blocks(ip[i], off, len, EXT4_FALLOC_KEEP_SIZE), 0);
		memset(model[i] + off, 0, len);
		break;
	case 2:
		assert_int_equal(ext4_collapse_range(ip[i], off, len),
				 off + len < size ? 0 : -EINVAL);
		if (off + len >= size)
			break;
		memmove(model[i] + off, model[i] + off + len, MAX - off - len);
		break;
	case 3:
		if (size + len > MAX / 2)
			break;
		assert_int_equal(ext4_insert_range(ip[i], off, len), off < size ? 0 : -EINVAL);
		if (off >= size)
			break;
		memmove(model[i] + off + len, model[i] + off, MAX - off - len);
		memset(model[i] + off, 0, len);
		break;
	case 4:
		if (off + len > size || at + len > ip[!i]->size)
			break;
		assert_int_equal(ext4_exchange_range(ip[i], off, ip[!i], at, len), 0);
		memcpy(buf, model[i] + off, len);
		memcpy(model[i] + off, model[!i] + at, len);
		memcpy(model[!i] + at, buf, len);
		break;
	default:
		assert_int_equal(ext4_punch_hole(ip[i], off, len), 0);
		memset(model[i] + off, 0, len);
	}
}

static void random_sequences(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 12; seed++) {
		struct ext4_inode *ip[2] = {im_create(&im, "/a"), im_create(&im, "/b")};
		uint64_t size[2];
		uint32_t s = seed * 2654435761u;

		memset(model, 0, sizeof(model));
		for (int n = 0; n < 150; n++)
			random_op(ip, &s);
		for (int i = 0; i < 2; i++) {
			size[i] = ip[i]->size;
			im_put(ip[i]);
		}
		image_check(&im);
		im_expect(&im, "/a", model[0], size[0]);
		im_expect(&im, "/b", model[1], size[1]);
		im_unlink(&im, "/a");
		im_unlink(&im, "/b");
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(zero_keeps_the_blocks), T(zero_fills_holes_and_extends),
		T(collapse_takes_out),	  T(insert_makes_a_hole),
		T(exchange_swaps_blocks), T(refusals),
		T(full_device),		  T(random_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
