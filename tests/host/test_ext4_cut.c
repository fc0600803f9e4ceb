/* SPDX-License-Identifier: MIT */
/*
 * Power cuts at every fence of every operation; the method is in ext4_crash.h.  The last tests lose
 * fences on purpose and expect the judge to notice.
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

#include "tests/host/ext4_crash.h"

#define RUN(script, mkfs) crash_run(script, 0, sizeof(script) / sizeof(script[0]), 4, mkfs)
#define UNINIT                                                                                     \
	"-b 4096 -I 256 -g 256 -N 128 -O none,filetype,extent,sparse_super,large_file,"            \
	"extra_isize,uninit_bg,64bit,dir_nlink"

#define B 4096u

static const struct op names[] = {
	{MKDIR, 1, 0, 0},    {CREATE, 0, 0, 0}, {CREATE, 1, 1, 0}, {CREATE, 2, 1, 0},
	{WRITE, 1, 0, 5000}, {MKDIR, 2, 0, 0},	{RENAME, 1, 0, 2}, {UNLINK, 0, 0, 0},
	{RENAME, 2, 0, 0},   {RMDIR, 1, 0, 0},	{CREATE, 3, 2, 0}, {WRITE, 3, 0, 20000},
	{HOLD, 3, 0, 0},     {HOLD, 1, 0, 0},	{LETGO, 3, 0, 0},  {CREATE, 4, 0, 0},
	{WRITE, 4, 0, 9000}, {LETGO, 1, 0, 0},	{SYNC, 0, 0, 0},   {UNLINK, 2, 0, 0},
	{RMDIR, 2, 0, 0},    {SYNC, 0, 0, 0},
};

static const struct op contents[] = {
	{CREATE, 0, 0, 0},
	{WRITE, 0, 0, 100},
	{WRITE, 0, 100, 5000},
	{WRITE, 0, 50, 300},
	{WRITE, 0, 5100, 200},
	{CREATE, 1, 0, 0},
	{WRITE, 1, 10 * B, B},
	{WRITE, 1, 8 * B, B},
	{WRITE, 1, 6 * B, B},
	{WRITE, 1, 4 * B, B},
	{WRITE, 1, 2 * B, B}, /* the root grows a level */
	{WRITE, 1, 0, B},
	{WRITE, 1, 3 * B, B}, /* merges */
	{WRITE, 0, 30000, 10},
	{TRUNCATE, 0, 0, 3000},
	{TRUNCATE, 0, 0, 50000},
	{TRUNCATE, 1, 0, 5 * B + 7},
	{TRUNCATE, 1, 0, 0},
	{WRITE, 1, 0, 50 * B},
	{SYNC, 0, 0, 0},
	{PUNCH, 1, 10 * B, B},
	{PUNCH, 1, 12 * B, 2 * B + 5},
	{PUNCH, 1, 20 * B, B},
	{PUNCH, 1, 22 * B, B},
	{PUNCH, 1, 24 * B, B},
	{PUNCH, 1, 5 * B + 9, 17 * B},
	{PUNCH, 1, 0, 3 * B},
	{PUNCH, 1, 0, 50 * B},
	{UNLINK, 1, 0, 0},
	{CREATE, 2, 0, 0},
	{FALLOCATE, 2, 0, 40 * B},
	{SYNC, 0, 0, 0},
	{FAULT, 2, 5, 1},
	{FAULT, 2, 6, 2},
	{FAULT, 2, 20, 5},
	{WRITE, 2, 30 * B + 50, 100},
	{WRITE, 2, 0, 40 * B},
	{KEEP, 0, 60000, 20 * B},
	{WRITE, 0, 50000, 30000},
	{FAULT, 0, 1, 8},
	{TRUNCATE, 2, 0, 1},
	{UNLINK, 2, 0, 0},
	{UNLINK, 0, 0, 0},
};

/* A directory whose first block is full: a second block, its first entry freed and used again. */
static const struct op crowded[] = {
	{MKDIR, 1, 0, 0},  {CROWD, 1, 0, 0}, /* set-up ends */
	{CREATE, 0, 1, 0}, {CREATE, 1, 1, 0}, {UNLINK, 0, 0, 0}, {CREATE, 2, 1, 0},
	{RENAME, 2, 0, 0}, {RENAME, 1, 0, 0}, {RENAME, 2, 0, 1},
};

/* /d1 was made and indexed by the host; the model must know it. */
static const struct op indexed[] = {
	{CREATE, 0, 1, 0},
	{UNLINK, 0, 0, 0},
	{CREATE, 1, 1, 0},
	{RENAME, 1, 0, 0},
};

/* Leaves of 340 records overflow, in front, in the middle, behind; neighbours join again. */
static const struct op leaves[] = {
	{CREATE, 0, 0, 0},
	{HOLEY, 0, 0, 682 * B}, /* 341 extents: a full leaf and a thin one */
	{WRITE, 0, 681 * B, B}, /* set-up ends */
	{WRITE, 0, 684 * B, B}, /* append */
	{PUNCH, 0, 682 * B, 3 * B},
	{WRITE, 0, 5 * B, B},		/* joins three records */
	{PUNCH, 0, 4 * B, B},		/* splits in the middle */
	{WRITE, 0, 300 * B + 1, 3 * B}, /* overwrites and fills */
	{PUNCH, 0, 2 * B, 400 * B},	/* most of a leaf */
	{PUNCH, 0, 400 * B, 270 * B},	/* leaves thin out and join */
	{TRUNCATE, 0, 0, 660 * B},
	{TRUNCATE, 0, 0, 3 * B},
	{UNLINK, 0, 0, 0},
};

/* Unwritten blocks in one full leaf: a conversion in the middle splits it. */
static const struct op conversions[] = {
	{CREATE, 0, 0, 0},
	{HOLEY, 0, 0, 674 * B},
	{FALLOCATE, 0, 676 * B, 20 * B}, /* set-up ends */
	{FAULT, 0, 680, 2},
	{FAULT, 0, 685, 1},
	{FAULT, 0, 687, 1}, /* the leaf is full */
	{FAULT, 0, 690, 1},
	{FAULT, 0, 686, 1}, /* joins */
	{TRUNCATE, 0, 0, 100},
};

/* Groups of 1 MiB that a file takes and leaves as a whole. */
static const struct op groups[] = {
	{CREATE, 0, 0, 0},	    {FALLOCATE, 0, 0, 700 * B}, {FAULT, 0, 300, 2},
	{TRUNCATE, 0, 0, 600 * B},  {CREATE, 1, 0, 0},		{WRITE, 1, 0, 3 * B},
	{TRUNCATE, 0, 0, 0},	    {WRITE, 0, 0, 400 * B},	{PUNCH, 0, 3 * B, 390 * B},
	{FALLOCATE, 0, 0, 500 * B}, {UNLINK, 0, 0, 0},		{UNLINK, 1, 0, 0},
};

static void cuts_in_names(void **state)
{
	(void)state;
	e2fsck_one_in = 5;
	RUN(names, OURS);
}

static void cuts_in_contents(void **state)
{
	(void)state;
	e2fsck_one_in = 11;
	RUN(contents, OURS);
}

static void cuts_in_uninitialised_groups(void **state)
{
	(void)state;
	e2fsck_one_in = 11;
	RUN(names, UNINIT);
	RUN(contents, UNINIT);
	RUN(groups, UNINIT);
}

static void cuts_in_a_crowded_directory(void **state)
{
	(void)state;
	e2fsck_one_in = 5;
	crash_run(crowded, 2, sizeof(crowded) / sizeof(crowded[0]) - 2, 4, OURS);
}

/* Fill /d1 and have e2fsck index it. */
static void index_d1(void)
{
	char out[2000], path[64];

	image_up(&live);
	im_mkdir(&live, "/d1");
	for (int i = 0; i < 400; i++) {
		snprintf(path, sizeof(path), "/d1/a-name-of-moderate-length-%03d", i);
		im_put(im_create(&live, path));
	}
	image_down(&live);
	image_sh(out, sizeof(out), "PATH=/usr/sbin:/sbin:$PATH e2fsck -fyD %s 2>&1", live.path);
	image_debugfs(&live, false, "stat /d1", out, sizeof(out));
	assert_non_null(strstr(out, "Flags: 0x81000"));
	before.dir[1] = after.dir[1] = true;
}

static void cuts_in_an_indexed_directory(void **state)
{
	(void)state;
	e2fsck_one_in = 3;
	crash_prepare = index_d1;
	RUN(indexed, "-b 4096 -I 256 -N 1024 -O none,filetype,extent,dir_index,large_file");
	crash_prepare = NULL;
}

static void cuts_in_overflowing_leaves(void **state)
{
	(void)state;
	e2fsck_one_in = 7;
	crash_run(leaves, 3, sizeof(leaves) / sizeof(leaves[0]) - 3, 8, OURS);
	crash_run(conversions, 3, sizeof(conversions) / sizeof(conversions[0]) - 3, 8, OURS);
}

static void cuts_in_repair(void **state)
{
	(void)state;
	e2fsck_one_in = 11;
	cut_repair_too = true;
	RUN(names, UNINIT);
	RUN(contents, OURS);
	cut_repair_too = false;
}

/* The judge can fail: a fence that does nothing now and then must be noticed. */
static void lost_fences_are_noticed(void **state)
{
	(void)state;
	e2fsck_one_in = 0;
	/* One in three at most: many fences have a neighbour that does their work as well. */
	for (lose_one_in = 1; lose_one_in <= 3; lose_one_in++) {
		RUN(names, OURS);
		assert_true(broken > 0);
		RUN(contents, OURS);
		assert_true(broken > 0);
	}
	lose_one_in = 0;
}

static void only_fsync_makes_an_overwrite_durable(void **state)
{
	struct ext4_inode *ip;
	struct cut recorder;

	(void)state;
	image_make(&live, 4, OURS);
	image_make(&crash, 4, OURS);
	cut_begin(&recorder, live.base, live.size, NULL);
	live.env.writeback = cut_writeback;
	live.env.fence = cut_fence;
	image_up(&live);
	ip = im_create(&live, "/f");
	im_write(ip, 0, "old!", 4);
	im_write(ip, 0, "new!", 4); /* in place: written back, not fenced */
	for (int synced = 0; synced < 2; synced++) {
		cut_make(&recorder, CUT_NOTHING, &cut_seed, crash.base);
		image_up(&crash);
		im_expect(&crash, "/f", synced ? "new!" : "old!", 4);
		image_down(&crash);
		image_fsck(&crash);
		assert_int_equal(ext4_fsync(ip), 0);
	}
	im_put(ip);
	image_down(&live);
	cut_end(&recorder);
	image_drop(&live);
	image_drop(&crash);
}

static void repair_says_what_it_did(void **state)
{
	static const char *const lines[] = {"was not unmounted", "has no name, freed",
					    "marked free", "orphan list emptied", "repaired:"};
	struct ext4_inode *ip, *root, *victim;

	(void)state;
	image_make(&live, 4, OURS);
	image_make(&crash, 4, OURS);
	image_up(&live);
	ip = im_create(&live, "/f");
	im_write(ip, 0, "orphan", 6);
	root = im_open(&live, "/");
	assert_int_equal(ext4_unlink(root, "f", &victim), 0);
	im_put(victim);
	memcpy(crash.base, live.base, live.size);
	im_put(ip);
	im_put(root);
	image_up(&crash);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_non_null(strstr(crash.said, lines[i]));
	image_down(&crash);
	image_fsck(&crash);
	image_up(&crash);
	assert_string_equal(crash.said, ""); /* once is enough */
	image_drop(&live);
	image_drop(&crash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_in_names),
		cmocka_unit_test(cuts_in_contents),
		cmocka_unit_test(cuts_in_uninitialised_groups),
		cmocka_unit_test(cuts_in_a_crowded_directory),
		cmocka_unit_test(cuts_in_an_indexed_directory),
		cmocka_unit_test(cuts_in_overflowing_leaves),
		cmocka_unit_test(cuts_in_repair),
		cmocka_unit_test(lost_fences_are_noticed),
		cmocka_unit_test(only_fsync_makes_an_overwrite_durable),
		cmocka_unit_test(repair_says_what_it_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
