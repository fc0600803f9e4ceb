/* SPDX-License-Identifier: MIT */
/*
 * What is refused, and by which words: features by name, superblocks that contradict themselves
 * or the device, damaged inodes, extents and directories.
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
static uint8_t buf[1 << 20];

static int drop(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

static void refused(int err, const char *word)
{
	int got = image_mount(&im);

	if (got != err || !strstr(im.why, word))
		fail_msg("mount: %d '%s', expected %d and '%s'", got, im.why, err, word);
}

static void features_are_refused_by_name(void **state)
{
	static const struct {
		const char *args, *feature, *cure;
	} rows[] = {
		{"-O none,filetype,extent,has_journal", "has_journal", "tune2fs -O ^has_journal"},
		{"-O none,filetype,extent,metadata_csum", "metadata_csum",
		 "tune2fs -O ^metadata_csum"},
		{"-O none,filetype,extent,metadata_csum,metadata_csum_seed", "metadata_csum_seed",
		 "tune2fs -O ^metadata_csum_seed"},
		{"-I 256 -O none,filetype,extent,ext_attr,inline_data", "inline_data", "mkfs.ext4"},
		{"-O none,filetype,extent,encrypt", "encrypt", "mkfs.ext4"},
		{"-O none,filetype,extent,casefold", "casefold", "mkfs.ext4"},
		{"-O none,filetype,extent,bigalloc", "bigalloc", "mkfs.ext4"},
		{"-O none,filetype,extent,meta_bg", "meta_bg", "mkfs.ext4"},
		{"-O none,filetype,extent,ea_inode", "ea_inode", "mkfs.ext4"},
		{"-O none,filetype,extent,quota", "quota", "tune2fs -O ^quota"},
		{"-O none,filetype,extent,quota,project", "quota", "tune2fs -O ^quota"},
		{"-O none,filetype,extent,verity", "verity", "mkfs.ext4"},
		{"-O none,filetype,extent,mmp", "mmp", "tune2fs -O ^mmp"},
		{"-O none,filetype,extent,large_dir", "large_dir", "mkfs.ext4"},
		{"-O none,filetype,extent,stable_inodes", "stable_inodes", "mkfs.ext4"},
		{"-O none,filetype,extent,sparse_super2", "sparse_super2", "mkfs.ext4"},
		{"-O none,filetype", "extent is missing", "mkfs.ext4"},
		{"-O none,extent", "filetype is missing", "mkfs.ext4"},
	};
	char args[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(args, sizeof(args), "-b 4096 %s", rows[i].args);
		image_make(&im, 32, args);
		refused(-EOPNOTSUPP, rows[i].feature);
		assert_non_null(strstr(im.why, rows[i].cure));
		assert_non_null(strstr(im.why, "none,filetype,extent,sparse_super,large_file,"
					       "extra_isize"));
		image_drop(&im);
	}
}

/* Bits that mke2fs of this host cannot set are set by hand. */
static void rare_features_are_refused_by_name(void **state)
{
	static const struct {
		uint32_t compat, incompat, ro;
		const char *name;
	} rows[] = {
		{COMPAT_ORPHAN_FILE, 0, 0, "orphan_file"},
		{COMPAT_FAST_COMMIT, 0, 0, "fast_commit"},
		{COMPAT_IMAGIC, 0, 0, "imagic_inodes"},
		{0, INCOMPAT_RECOVER, 0, "needs_recovery"},
		{0, INCOMPAT_COMPRESSION, 0, "compression"},
		{0, INCOMPAT_JOURNAL_DEV, 0, "journal_dev"},
		{0, INCOMPAT_DIRDATA, 0, "dirdata"},
		{0, 0, RO_SHARED_BLOCKS, "shared_blocks"},
		{0, 0, RO_ORPHAN_PRESENT, "orphan_present"},
		{0, 0, RO_READONLY, "read-only"},
		{0, 0, RO_PROJECT, "project"},
		{0x40000000, 0, 0, "unknown compat feature bits 0x40000000"},
		{0, 0x40000000, 0, "unknown incompat feature bits 0x40000000"},
		{0, 0, 0x40000000, "unknown ro_compat feature bits 0x40000000"},
	};
	struct ext4_super *sb;

	(void)state;
	image_make(&im, 8, OURS);
	sb = (struct ext4_super *)(im.base + 1024);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sb->s_feature_compat ^= rows[i].compat;
		sb->s_feature_incompat ^= rows[i].incompat;
		sb->s_feature_ro_compat ^= rows[i].ro;
		refused(-EOPNOTSUPP, rows[i].name);
		sb->s_feature_compat ^= rows[i].compat;
		sb->s_feature_incompat ^= rows[i].incompat;
		sb->s_feature_ro_compat ^= rows[i].ro;
	}
	image_up(&im);
}

/* All at once: what no tool removes first, one command for the others. */
static void several_obstacles_are_named_together(void **state)
{
	static const struct {
		const char *args, *words[4];
	} rows[] = {
		{"-b 4096 -I 256",
		 {"has_journal", "metadata_csum", "`tune2fs -O ^has_journal,^", "or `mkfs"}},
		{"-b 1024 -I 256 -O none,filetype,extent,has_journal",
		 {"no tool removes: blocks of 1024 bytes", "could: has_journal",
		  "make the image with"}},
		{"-b 4096 -I 512 -O none,filetype,extent,quota,encrypt",
		 {"256 bytes, encrypt", "could: quota", "3 obstacles"}},
		{"-b 4096 -O none,has_journal",
		 {"no feature extent, no feature filetype", "could: has_journal"}},
	};
	char out[400];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		image_make(&im, 32, rows[i].args);
		for (int w = 0; w < 4 && rows[i].words[w]; w++)
			refused(-EOPNOTSUPP, rows[i].words[w]);
		if (i == 0) { /* and the command does it */
			snprintf(out, sizeof(out), "%s", strstr(im.why, "tune2fs"));
			*strstr(out, " IMAGE") = '\0';
			assert_int_equal(
				image_sh(NULL, 0,
					 "PATH=/usr/sbin:/sbin:$PATH %s %s >/dev/null 2>&1", out,
					 im.path),
				0);
			image_up(&im);
		}
		image_drop(&im);
	}
	image_make(&im, 8, OURS);
	((struct ext4_super *)(im.base + 1024))->s_feature_incompat |= INCOMPAT_RECOVER;
	((struct ext4_super *)(im.base + 1024))->s_feature_compat |= COMPAT_HAS_JOURNAL;
	refused(-EOPNOTSUPP, "`e2fsck -fy IMAGE`, then `tune2fs -O ^has_journal IMAGE`");
}

static void other_sizes_are_refused(void **state)
{
	(void)state;
	image_make(&im, 8, "-b 1024 -I 256 -O none,filetype,extent");
	refused(-EINVAL, "mkfs.ext4 -b 4096");
	image_drop(&im);
	image_make(&im, 8, "-b 4096 -I 512 -O none,filetype,extent");
	refused(-EINVAL, "mkfs.ext4 -I 256");
}

static void corrupted_superblock(void **state)
{
	static const struct {
		uint32_t at, size;
		uint64_t value;
		const char *word;
	} rows[] = {
		{0x38, 2, 0xEF54, "magic"},
		{0x38, 2, 0, "magic"},
		{0x4C, 4, 0, "revision"},
		{0x18, 4, 77, "block size"},
		{0x1C, 4, 4, "cluster size"},
		{0x58, 2, 0, "inode size 0"},
		{0x58, 2, 300, "inode size 300"},
		{0x14, 4, 1, "first data block"},
		{0x04, 4, 0, "only 0 blocks"},
		{0x04, 4, 2049, "truncated device"},
		{0x04, 4, 0xFFFFFFFF, "truncated device"},
		{0x20, 4, 0, "0 blocks per group"},
		{0x20, 4, 40000, "40000 blocks per group"},
		{0x20, 4, 2047, "blocks per group"},
		{0x28, 4, 0, "inodes per group"},
		{0x28, 4, 17, "inodes per group"},
		{0x28, 4, 0xFFFFFFF0, "inodes per group"},
		{0x00, 4, 5, "5 inodes"},
		{0x54, 4, 0, "first inode is 0"},
		{0x54, 4, 0xFFFF, "first inode"},
		{0xCE, 2, 0xFFFF, "descriptors need"},
	};
	uint8_t keep[1024];

	(void)state;
	image_make(&im, 8, OURS);
	memcpy(keep, im.base + 1024, 1024);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(im.base + 1024 + rows[i].at, &rows[i].value, rows[i].size);
		refused(-EINVAL, rows[i].word);
		memcpy(im.base + 1024, keep, 1024);
	}
	image_up(&im);
}

static void truncated_image(void **state)
{
	(void)state;
	image_make(&im, 8, OURS);
	im.env.size = 4 << 20;
	refused(-EINVAL, "truncated device");
	im.env.size = 4096;
	refused(-EINVAL, "65536");
	im.env.size = 0;
	refused(-EINVAL, "65536");
	im.env.size = 8 << 20;
	image_up(&im);
}

static void corrupted_descriptors(void **state)
{
	struct ext4_group_desc *d;

	(void)state;
	image_make(&im, 8, OURS);
	d = (struct ext4_group_desc *)(im.base + 4096);
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t *place = &d->bg_block_bitmap_lo + i, keep = *place;

		*place = 0;
		refused(-EIO, "outside the device");
		*place = 0xFFFFFFFF;
		refused(-EIO, "outside the device");
		*place = d->bg_inode_table_lo + (i == 2 ? 5000 : 1);
		refused(-EIO, i == 2 ? "outside the device" : "holds two tables");
		*place = keep;
	}
	image_up(&im);
}

static void descriptor_checksum(void **state)
{
	struct ext4_group_desc *d;

	(void)state;
	image_make(&im, 8, "-b 4096 -O none,filetype,extent,uninit_bg");
	d = (struct ext4_group_desc *)(im.base + 4096);
	d->bg_free_blocks_lo ^= 1;
	refused(-EIO, "checksum");
	d->bg_free_blocks_lo ^= 1;
	image_up(&im);
}

/* Where an inode lies, for a group 0 of our images. */
static struct ext4_disk_inode *raw(uint32_t ino)
{
	struct ext4_group_desc *d = (struct ext4_group_desc *)(im.base + 4096);

	return (void *)(im.base + (uint64_t)d->bg_inode_table_lo * 4096 + (ino - 1) * 256);
}

static int file_image(void **state)
{
	struct ext4_inode *ip;

	(void)state;
	image_make(&im, 8, OURS);
	image_up(&im);
	ip = im_create(&im, "/f"); /* inode 12 */
	assert_int_equal(ip->ino, 12);
	im_write(ip, 0, buf, 8192);
	im_write(ip, 40960, buf, 4096);
	im_put(ip);
	im_mkdir(&im, "/d"); /* inode 13 */
	return 0;
}

static void damaged_root_is_refused(void **state)
{
	(void)state;
	image_down(&im);
	raw(2)->i_mode = 0x81A4;
	refused(-EIO, "not a directory");
	raw(2)->i_mode = 0x41ED;
	raw(2)->i_links_count = 0;
	refused(-ENOENT, "inode 2 is free");
	raw(2)->i_links_count = 4;
	raw(2)->i_flags = 0;
	refused(-EOPNOTSUPP, "indirect blocks");
	raw(2)->i_flags = 0x80000;
	image_up(&im);
}

/* Every way into the file ends with -EIO, reading with a sentence that has @word. */
static void unusable(struct ext4_inode *ip, const char *word)
{
	char got[4096];

	assert_int_equal(ext4_read(ip, 0, got, 4096), -EIO);
	if (!strstr(ext4_why(im.fs), word))
		fail_msg("'%s' does not say '%s'", ext4_why(im.fs), word);
	assert_int_equal(ext4_write(ip, 0, got, 4096), -EIO);
	assert_int_equal(ext4_free_blocks(ip, 0, 1), -EIO);
	assert_int_equal(ext4_check(im.fs, NULL, NULL), -EIO);
}

static void damaged_extents_are_refused(void **state)
{
	struct ext4_extent_header *h = (void *)raw(12)->i_block;
	struct ext4_extent *e = (void *)(h + 1), keep = e[0];
	struct ext4_inode *ip = im_open(&im, "/f");

	(void)state;
	e[0].ee_start_lo = 0xFFFFFF00;
	unusable(ip, "out of the device");
	e[0].ee_start_hi = 9;
	unusable(ip, "out of the device");
	e[0] = keep;
	e[0].ee_start_lo = 1;
	unusable(ip, "into its tables");
	e[0] = keep;
	e[0].ee_len = 0;
	unusable(ip, "length 0");
	e[0] = keep;
	h->eh_entries = 5;
	unusable(ip, "5 of 4 records");
	h->eh_entries = 2;
	h->eh_max = 400;
	unusable(ip, "2 of 400 records, 4 fit");
	h->eh_max = 4;
	h->eh_magic = 1;
	unusable(ip, "magic");
	h->eh_magic = 0xF30A;
	h->eh_depth = 6;
	unusable(ip, "depth 6");
	h->eh_depth = 1; /* the extent read as an index */
	unusable(ip, "inode 12");
	h->eh_depth = 0;
	im_put(ip);
	image_check(&im);
}

/* A root of depth 5 whose children are one block that names itself: the walk must end. */
static void loop_in_the_tree(void **state)
{
	struct ext4_extent_header *h = (void *)raw(12)->i_block, keep = *h, *node;
	struct ext4_extent *e = (void *)(h + 1), keep_e = *e;
	struct ext4_inode *ip = im_open(&im, "/f");
	uint64_t pblk = e->ee_start_lo;
	char got[100];

	(void)state;
	node = (void *)(im.base + pblk * 4096);
	for (uint16_t depth = 0; depth < 5; depth++) {
		*h = (struct ext4_extent_header){0xF30A, 1, 4, 5, 0};
		e->ee_block = 0;
		e->ei_leaf_lo = (uint32_t)pblk;
		e->ei_leaf_hi = 0;
		*node = (struct ext4_extent_header){0xF30A, 340, 340, depth, 0};
		for (int i = 0; i < 340; i++) {
			struct ext4_extent *c = (struct ext4_extent *)(node + 1) + i;

			c->ee_block = (uint32_t)i;
			c->ei_leaf_lo = (uint32_t)pblk;
			c->ei_leaf_hi = 0;
		}
		assert_int_equal(ext4_read(ip, 0, got, 100), -EIO);
		assert_int_equal(ext4_check(im.fs, NULL, NULL), -EIO);
		assert_int_equal(ext4_truncate(ip, 0), -EIO);
		assert_int_equal(ext4_set_size(ip, 45056), 0);
	}
	*h = keep;
	*e = keep_e;
	im_put(ip);
}

static void damaged_directory_entries(void **state)
{
	struct ext4_extent *e = (void *)(raw(13)->i_block + 12);
	uint8_t *block = im.base + (uint64_t)e->ee_start_lo * 4096;
	struct ext4_dirent *up = (void *)(block + 12);
	struct ext4_inode *d = im_open(&im, "/d"), *ip;
	static const uint16_t lens[] = {0, 3, 7, 8, 13, 4088, 8192, 65532};
	struct ext4_dirent keep = *up;
	struct ext4_dirent_info info;

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint64_t pos = 24;

		up->rec_len = lens[i];
		assert_int_equal(ext4_lookup(d, "x", &ip), -EIO);
		assert_int_equal(ext4_create(d, "x", 0644, NULL), -EIO);
		assert_int_equal(ext4_readdir(d, &pos, &info), -EIO);
		up->rec_len = keep.rec_len;
	}
	up->inode = 0x7FFFFFFF;
	assert_int_equal(ext4_lookup(d, "x", &ip), -EIO);
	assert_non_null(strstr(ext4_why(im.fs), "damaged"));
	up->inode = keep.inode;
	up->inode = 500; /* free */
	assert_int_equal(ext4_lookup(d, "..", &ip), -EIO);
	assert_non_null(strstr(ext4_why(im.fs), "which is free"));
	up->inode = keep.inode;
	raw(13)->i_size_lo = 4097;
	im_put(d);
	assert_int_equal(ext4_walk(im.fs, "/d", &ip), -EIO);
	raw(13)->i_size_lo = 4096;
	image_check(&im);
}

static void bad_inode_numbers(void **state)
{
	struct ext4_inode *ip;

	(void)state;
	assert_int_equal(ext4_iget(im.fs, 0, &ip), -ENOENT);
	assert_int_equal(ext4_iget(im.fs, 0xFFFFFFFF, &ip), -ENOENT);
	assert_int_equal(ext4_iget(im.fs, 100, &ip), -ENOENT);
}

static void bitmap_that_frees_metadata(void **state)
{
	struct ext4_group_desc *d = (struct ext4_group_desc *)(im.base + 4096);
	struct ext4_inode *ip = im_open(&im, "/f");
	uint8_t *map = im.base + (uint64_t)d->bg_block_bitmap_lo * 4096, keep[4096];
	int64_t n;

	(void)state;
	assert_int_equal(ext4_sync(im.fs), 0);
	memcpy(keep, map, 4096);
	memset(map, 0, 256); /* everything free, the superblock too */
	for (uint64_t off = 1 << 20; off < 16 << 20; off += 4096) {
		n = ext4_write(ip, off, buf, 4096);
		if (n < 0)
			break;
	}
	assert_int_equal(n, -EIO);
	assert_non_null(strstr(ext4_why(im.fs), "calls metadata free"));
	assert_int_equal(ext4_truncate(ip, 45056), 0);
	memcpy(map, keep, 4096);
	im_put(ip);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, drop)
#define F(name) cmocka_unit_test_setup_teardown(name, file_image, drop)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_are_refused_by_name),
		T(rare_features_are_refused_by_name),
		T(several_obstacles_are_named_together),
		T(other_sizes_are_refused),
		T(corrupted_superblock),
		T(truncated_image),
		T(corrupted_descriptors),
		T(descriptor_checksum),
		F(damaged_root_is_refused),
		F(damaged_extents_are_refused),
		F(loop_in_the_tree),
		F(damaged_directory_entries),
		F(bad_inode_numbers),
		F(bitmap_that_frees_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
