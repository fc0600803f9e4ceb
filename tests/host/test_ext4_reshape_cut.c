/* SPDX-License-Identifier: MIT */
/*
 * Power cuts at every fence of zero range, collapse range, insert range and exchange; the method is
 * in ext4_crash.h.  Collapse, insert and exchange must be atomic: the judge compares whole files.
 */
/* LINK: tests/host/ext4_image.c tests/kernel/lib/ext4_cut.c tests/host/ext4_crash.c */
/* LINK: tests/host/ext4_judge.c dax/ext4/[a-z]*.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dax/ext4/internal.h"
#include "tests/host/ext4_crash.h"

#define B      4096u
#define LEN(s) (sizeof(s) / sizeof(s[0]))

/* Small trees: the root alone, and the step to a leaf and back. */
static const struct op small[] = {
	{CREATE, 0, 0, 0},
	{WRITE, 0, 0, 20 * B + 100}, /* set-up ends */
	{ZERO, 0, 3 * B + 10, 100},
	{ZERO, 0, 5 * B, 2 * B},
	{ZERO, 0, 7 * B - 5, 3 * B + 20},
	{ZERO, 0, 19 * B, 4 * B + 7}, /* beyond the end */
	{WRITE, 0, 5 * B + 3, B},
	{COLLAPSE, 0, 2 * B, B},
	{COLLAPSE, 0, 0, 4 * B},
	{INSERT, 0, B, 2 * B},
	{INSERT, 0, 0, 5 * B},
	{WRITE, 0, 2 * B, 9 * B},
	{PUNCH, 0, 6 * B, B},
	{COLLAPSE, 0, 5 * B, 3 * B},
	{KEEP, 0, 40 * B, 4 * B},
	{COLLAPSE, 0, B, B},
	{INSERT, 0, 3 * B, B},
	{TRUNCATE, 0, 0, B + 1},
	{UNLINK, 0, 0, 0},
};

static const struct op two[] = {
	{CREATE, 0, 0, 0},
	{CREATE, 1, 0, 0},
	{WRITE, 0, 0, 20 * B},
	{WRITE, 1, 0, 12 * B + 9},
	{PUNCH, 1, 3 * B, B}, /* set-up ends */
	SWAP(0, 0, 1, 0, 12 * B),
	SWAP(0, 5 * B, 1, 2 * B, 3 * B),
	SWAP(1, 0, 0, 19 * B, B),
	{TRUNCATE, 0, 0, 12 * B + 9},
	SWAP(1, 4 * B, 0, 4 * B, 8 * B + 9), /* to both ends */
	{KEEP, 0, 20 * B, 5 * B},
	SWAP(0, B, 1, 11 * B, B),
	{UNLINK, 1, 0, 0},
	{WRITE, 0, 0, 14 * B},
};

/* Trees of two leaves. */
static const struct op large[] = {
	{CREATE, 0, 0, 0},
	{HOLEY, 0, 0, 684 * B}, /* 342 extents */
	{CREATE, 1, 0, 0},
	{HOLEY, 1, 0, 40 * B}, /* set-up ends */
	{COLLAPSE, 0, 2 * B, 4 * B},
	{INSERT, 0, 100 * B, 10 * B},
	{ZERO, 0, 101 * B, 30 * B},
	{ZERO, 0, 300 * B, B},
	SWAP(0, 600 * B, 1, 3 * B, 30 * B),
	SWAP(1, 0, 0, 340 * B, 20 * B),
	{COLLAPSE, 0, 10 * B, 660 * B},
	{UNLINK, 1, 0, 0},
	{INSERT, 0, 0, 4 * B},
	{TRUNCATE, 0, 0, 0},
};

static void cuts_in_small_trees(void **state)
{
	(void)state;
	e2fsck_one_in = 5;
	crash_run(small, 2, LEN(small) - 2, 4, OURS);
}

static void cuts_in_exchanges(void **state)
{
	(void)state;
	e2fsck_one_in = 5;
	crash_run(two, 5, LEN(two) - 5, 4, OURS);
}

static void cuts_in_large_trees(void **state)
{
	(void)state;
	e2fsck_one_in = 7;
	crash_run(large, 4, LEN(large) - 4, 8, OURS);
}

static void cuts_in_the_repair_of_them(void **state)
{
	(void)state;
	e2fsck_one_in = 11;
	cut_repair_too = true;
	crash_run(small, 2, LEN(small) - 2, 4, OURS);
	crash_run(two, 5, LEN(two) - 5, 4, OURS);
	cut_repair_too = false;
}

static void lost_fences_are_noticed(void **state)
{
	(void)state;
	e2fsck_one_in = 0;
	for (lose_one_in = 1; lose_one_in <= 3; lose_one_in++) {
		crash_run(small, 2, LEN(small) - 2, 4, OURS);
		assert_true(broken > 0);
		crash_run(two, 5, LEN(two) - 5, 4, OURS);
		assert_true(broken > 0);
	}
	lose_one_in = 0;
}

/* Publish an exchange as if cut before the inodes were written; mark the device clean if @clean. */
static void leave_a_record(bool clean)
{
	struct ext4_inode *a = im_create(&live, "/a"), *b = im_create(&live, "/b");
	struct ext4_super *sb = (struct ext4_super *)(live.base + 1024);
	struct ext4_redo_pair pair;
	uint64_t word, pblk;
	uint32_t got;

	im_write(a, 0, "AAAA", 4);
	im_write(b, 0, "BBBB", 4);
	pair = (struct ext4_redo_pair){.ino = {a->ino, b->ino}};
	pair.image[0] = *a->raw;
	pair.image[1] = *b->raw;
	memcpy(pair.image[0].i_block, b->raw->i_block, 60);
	memcpy(pair.image[1].i_block, a->raw->i_block, 60);
	assert_int_equal(ext4_balloc(live.fs, 0, 1, 0, &pblk, &got), 0);
	/* what the commit writes, taken from a copy on which it ran to its end */
	memcpy(crash.base, live.base, live.size);
	ext4_pair_commit(live.fs, &pair, pblk);
	memcpy(crash.base + pblk * B, live.base + pblk * B, B);
	memcpy(live.base, crash.base, live.size);
	word = 2166136261u;
	for (size_t i = 0; i < sizeof(pair); i++)
		word = (uint32_t)((word ^ ((uint8_t *)&pair)[i]) * 16777619u);
	sb->s_redo_pair = word << 32 | pblk;
	if (clean)
		sb->s_state = EXT4_VALID_FS;
	memcpy(crash.base, live.base, live.size);
	sb->s_redo_pair = 0;
	ext4_bfree(live.fs, pblk, 1);
	im_put(a);
	im_put(b);
}

static void a_record_is_finished_once(void **state)
{
	(void)state;
	for (int clean = 0; clean < 2; clean++) {
		image_make(&live, 4, OURS);
		image_make(&crash, 4, OURS);
		image_up(&live);
		leave_a_record(clean);
		image_up(&crash);
		/* a device that somebody else marked clean has moved on: dropped, not replayed */
		im_expect(&crash, "/a", clean ? "AAAA" : "BBBB", 4);
		im_expect(&crash, "/b", clean ? "BBBB" : "AAAA", 4);
		assert_non_null(strstr(crash.said, clean ? "dropped" : "finished an update"));
		image_down(&crash);
		image_fsck(&crash);
		image_drop(&live);
		image_drop(&crash);
	}
}

/* A word that names rubbish: a block out of the device, tables, or one with another content. */
static void hostile_records_are_dropped(void **state)
{
	static const uint32_t blocks[] = {0, 1, 5, 900, 1023, 1024, 0xFFFFFFFFu};

	(void)state;
	image_make(&crash, 4, OURS);
	for (size_t i = 0; i < LEN(blocks); i++) {
		struct ext4_super *sb = (struct ext4_super *)(crash.base + 1024);

		sb->s_state = 0;
		sb->s_redo_pair = 0x1234567800000000ull | blocks[i];
		image_up(&crash);
		assert_int_equal(sb->s_redo_pair, 0);
		image_down(&crash);
		image_fsck(&crash);
	}
	image_drop(&crash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_in_small_trees),
		cmocka_unit_test(cuts_in_exchanges),
		cmocka_unit_test(cuts_in_large_trees),
		cmocka_unit_test(cuts_in_the_repair_of_them),
		cmocka_unit_test(lost_fences_are_noticed),
		cmocka_unit_test(a_record_is_finished_once),
		cmocka_unit_test(hostile_records_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
