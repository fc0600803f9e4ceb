/* SPDX-License-Identifier: MIT */
/*
 * Devices that another system wrote last: a repair loses nothing that fsck would keep, a refused
 * mount changes no byte, and what reserved inodes own stays theirs.
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

static struct image im;
static uint8_t keep[SIZE], whole[SIZE], buf[64 << 10];

static struct ext4_super *super(void)
{
	return (struct ext4_super *)(im.base + 1024);
}

static int drop(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

/* Where an inode lies, for a group 0 of our images. */
static struct ext4_disk_inode *raw(uint32_t ino)
{
	struct ext4_group_desc *d = (struct ext4_group_desc *)(im.base + 4096);

	return (void *)(im.base + (uint64_t)d->bg_inode_table_lo * 4096 + (ino - 1) * 256);
}

static uint32_t first_block(uint32_t ino)
{
	return ((struct ext4_extent *)(void *)(raw(ino)->i_block + 12))->ee_start_lo;
}

/* Inodes: /box 12, /box/l0 to l2 13 to 15, /f 16 (five blocks), /g 17. */
static int boxed(void **state)
{
	char path[24];

	(void)state;
	image_make(&im, MIB, OURS);
	image_up(&im);
	im_mkdir(&im, "/box");
	for (int i = 0; i < 5; i++) {
		static const char *const other[] = {"/f", "/g"};
		struct ext4_inode *ip;

		snprintf(path, sizeof(path), "/box/l%d", i);
		ip = im_create(&im, i < 3 ? path : other[i - 3]);
		im_pattern(buf, 20000, (uint32_t)i);
		im_write(ip, 0, buf, i == 3 ? 20000 : 100);
		im_put(ip);
	}
	image_down(&im);
	image_fsck(&im);
	return 0;
}

/* The mount is refused with a sentence that names @word and the fsck line; no byte changes. */
static void refused(const char *word)
{
	int err;

	memcpy(keep, im.base, SIZE);
	err = image_mount(&im);
	if (!err)
		fail_msg("mounted, expected '%s'\n%s", word, im.said);
	if (!strstr(im.why, word) || !strstr(im.why, "`e2fsck -fy IMAGE`"))
		fail_msg("'%s' does not say '%s' and the line for e2fsck", im.why, word);
	for (uint64_t i = 0; i < SIZE; i++)
		if (keep[i] != im.base[i])
			fail_msg("'%s': byte %llu was changed", im.why, (unsigned long long)i);
}

static uint32_t files_in_lost_found(void)
{
	char out[4000];
	uint32_t n = 0;

	image_debugfs(&im, false, "ls -l /lost+found", out, sizeof(out));
	for (const char *p = out; (p = strstr(p, "#")); p++)
		n++;
	return n;
}

/* A directory whose inode did not reach the device elsewhere: fsck keeps its files. */
static void nameless_files_of_another_system(void **state)
{
	char out[4000];

	(void)state;
	image_debugfs(&im, true, "clri /box", NULL, 0);
	image_debugfs(&im, true, "ssv state 0", NULL, 0);
	refused("lose what fsck keeps");
	image_sh(out, sizeof(out), "PATH=/usr/sbin:/sbin:$PATH e2fsck -fy %s 2>&1", im.path);
	assert_int_equal(files_in_lost_found(), 3);
	image_up(&im);
	assert_string_equal(im.said, "");
}

/* Only counters and bitmaps are behind: mending them loses nothing, whoever left them so. */
static void stale_counters_of_another_system(void **state)
{
	struct ext4_group_desc *d = (struct ext4_group_desc *)(im.base + 4096);
	uint8_t *map = im.base + (uint64_t)d->bg_block_bitmap_lo * 4096;

	(void)state;
	super()->s_state = 0;
	super()->s_free_blocks_lo -= 3;
	map[first_block(17) / 8] &= (uint8_t) ~(1u << first_block(17) % 8);
	image_up(&im);
	assert_non_null(strstr(im.said, "another system"));
	assert_non_null(strstr(im.said, "1 blocks marked used"));
	image_down(&im);
	image_fsck(&im);
}

/* Each way a survey ends with a refusal, on a device of another system and on one of ours. */
static void a_refusal_changes_no_byte(void **state)
{
	struct ext4_extent *e = (void *)(raw(16)->i_block + 12);
	uint8_t *root = im.base + first_block(2) * 4096ull;

	(void)state;
	for (int way = 0; way < 9; way++) {
		memcpy(whole, im.base, SIZE);
		super()->s_state = 0;
		super()->s_last_orphan = way == 2 ? 16 : 0;
		switch (way) {
		case 0: /* a name of nothing, then two owners */
			memset(raw(12), 0, 256);
			raw(17)->i_file_acl_lo = e->ee_start_lo;
			break;
		case 1: /* the later file points into the earlier one */
			raw(16)->i_file_acl_lo = first_block(17);
			break;
		case 2: raw(16)->i_dtime = 99; break;
		case 3:
			e->ee_len = 4;
			raw(16)->i_size_lo = 100;
			break; /* blocks behind the end */
		case 4: ((struct ext4_dirent *)(void *)root)->rec_len = 5; break;
		case 5: raw(16)->i_mode = 0; break;
		case 6: e->ee_start_lo = 1; break;
		case 7: raw(2)->i_mode = 0x81A4; break;
		case 8: raw(16)->i_file_acl_lo = 1500; break; /* nobody's, and no attribute block */
		}
		if (way == 7)
			assert_int_equal(image_mount(&im), -EIO);
		else
			refused("");
		memcpy(im.base, whole, SIZE);
	}
	image_up(&im);
}

/* An interrupted update of ours is finished before the survey; a refusal takes it back. */
static void a_refusal_takes_a_redo_back(void **state)
{
	struct ext4_inode *ip;

	(void)state;
	image_up(&im);
	ip = im_open(&im, "/g");
	im_write(ip, 0, "x", 1);
	super()->s_redo.image = *ip->raw;
	super()->s_redo.image.i_size_lo = 50;
	image_redo_word(&im, 17);
	raw(15)->i_file_acl_lo = first_block(16); /* no cut does that */
	refused("belongs to inode");
	raw(15)->i_file_acl_lo = 0;
	memcpy(keep, im.base, SIZE);
	im_put(ip);
	image_down(&im);
	memcpy(im.base, keep, SIZE);
	image_up(&im);
	assert_non_null(strstr(im.said, "finished an update"));
	assert_int_equal(raw(17)->i_size_lo, 50);
}

/* On a device of ours no cut leaves this; it is kept all the same. */
static void what_is_lost_goes_to_lost_found(void **state)
{
	struct ext4_dirent *de;
	struct ext4_inode *ip;
	uint8_t *root;

	(void)state;
	image_up(&im);
	ip = im_open(&im, "/g");
	im_write(ip, 0, "x", 1);
	im_put(ip);
	memcpy(keep, im.base, SIZE); /* dirty, and ours */
	image_down(&im);
	memcpy(im.base, keep, SIZE);
	root = im.base + first_block(2) * 4096ull;
	for (uint32_t off = 0; off < 4096; off += de->rec_len) {
		de = (void *)(root + off);
		if (de->inode == 12 || de->inode == 16)
			de->inode = 0; /* /box with its files, and /f */
	}
	image_up(&im);
	assert_non_null(strstr(im.said, "kept as /lost+found/#12"));
	im_pattern(buf, 20000, 3);
	im_expect(&im, "/lost+found/#16", buf, 20000);
	im_pattern(buf, 100, 1);
	im_expect(&im, "/lost+found/#12/l1", buf, 100);
	image_check(&im);
}

/* Each tool that writes the superblock breaks the mark; the device counts as another system's. */
static void tools_break_the_mark(void **state)
{
	static const char *const tools[] = {
		"tune2fs -L name %s",
		"debugfs -w -R 'ssv lastcheck 20200101' %s",
		"debugfs -w -R 'ssv state 0' %s",
		"tune2fs -c 20 %s",
	};
	struct ext4_inode *ip;

	(void)state;
	image_up(&im);
	ip = im_open(&im, "/g");
	im_write(ip, 0, "x", 1);
	memcpy(keep, im.base, SIZE); /* dirty, and ours */
	im_put(ip);
	image_down(&im);
	for (size_t i = 0; i <= sizeof(tools) / sizeof(tools[0]); i++) {
		char cmd[200], out[2000];

		memcpy(im.base, keep, SIZE);
		if (i) {
			snprintf(cmd, sizeof(cmd), tools[i - 1], im.path);
			image_sh(out, sizeof(out), "PATH=/usr/sbin:/sbin:$PATH; %s 2>&1", cmd);
			super()->s_state &= (uint16_t)~EXT4_VALID_FS;
		}
		image_up(&im);
		if (!strstr(im.said, "another system") != !i)
			fail_msg("tool %d: %s", (int)i, im.said);
		image_down(&im);
	}
}

/* The verdict of an earlier mount outlives ours. */
static void errors_on_record_stay(void **state)
{
	struct ext4_inode *ip;

	(void)state;
	super()->s_state = EXT4_VALID_FS | EXT4_ERROR_FS;
	image_up(&im);
	assert_non_null(strstr(im.said, "errors are on record"));
	ip = im_open(&im, "/g");
	im_write(ip, 0, "x", 1);
	im_put(ip);
	assert_int_equal(ext4_sync(im.fs), 0);
	image_down(&im);
	assert_int_equal(super()->s_state, EXT4_VALID_FS | EXT4_ERROR_FS);
}

static void bad_blocks_belong_to_inode_1(void **state)
{
	struct ext4_extent_info owner;
	char out[2000], list[64];
	struct ext4_inode *ip;

	(void)state;
	/* 20 bad blocks: 12 direct ones, and a block of numbers for the others */
	snprintf(list, sizeof(list), "/tmp/hf-bad-%d", rand());
	image_sh(out, sizeof(out), "seq 1500 1519 >%s", list);
	snprintf(out, sizeof(out), "%s -l %s", OURS, list);
	image_make(&im, MIB, out);
	image_sh(NULL, 0, "rm %s", list);
	image_up(&im);
	assert_int_equal(ext4_check(im.fs, NULL, NULL), 0);
	for (uint64_t b = 1500; b < 1520; b++) {
		assert_int_equal(ext4_block_owner(im.fs, b, &owner), 0);
		assert_int_equal(owner.ino, 1);
	}
	ip = im_create(&im, "/f");
	im_write(ip, 0, "x", 1);
	memcpy(keep, im.base, SIZE); /* dirty, and ours */
	im_put(ip);
	image_down(&im);
	memcpy(im.base, keep, SIZE);
	image_up(&im);
	for (uint64_t b = 1500; b < 1520; b++)
		assert_false(ext4_block_free(im.fs, b));
	image_check(&im);
}

/* A journal that was left behind belongs to inode 8, which no name leads to. */
static void reserved_inodes_keep_their_trees(void **state)
{
	struct ext4_inode *ip;
	uint64_t pblk;

	(void)state;
	image_up(&im);
	ip = im_open(&im, "/f");
	pblk = first_block(16);
	memcpy(raw(8), raw(16), 128);
	im_put(ip);
	im_unlink(&im, "/g");
	memcpy(keep, im.base, SIZE);
	image_down(&im);
	memcpy(im.base, keep, SIZE);
	refused("belongs to inode 16"); /* both own it */
	memset(raw(16)->i_block + 12, 0, 48);
	((struct ext4_extent_header *)(void *)raw(16)->i_block)->eh_entries = 0;
	raw(16)->i_size_lo = 0;
	image_up(&im);
	for (int i = 0; i < 5; i++)
		assert_false(ext4_block_free(im.fs, pblk + i));
	assert_int_equal(ext4_check(im.fs, NULL, NULL), 0);
}

int main(void)
{
#define B(name) cmocka_unit_test_setup_teardown(name, boxed, drop)
	const struct CMUnitTest tests[] = {
		B(nameless_files_of_another_system),
		B(stale_counters_of_another_system),
		B(a_refusal_changes_no_byte),
		B(a_refusal_takes_a_redo_back),
		B(what_is_lost_goes_to_lost_found),
		B(tools_break_the_mark),
		B(errors_on_record_stay),
		cmocka_unit_test_teardown(bad_blocks_belong_to_inode_1, drop),
		B(reserved_inodes_keep_their_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
