/* SPDX-License-Identifier: MIT */
/*
 * Blocks by runs: the words of bits.c against a bit at a time, checksums against the definition,
 * and groups that a file takes and gives up as a whole.
 */
/* LINK: tests/host/ext4_image.c dax/ext4/[a-z]*.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dax/ext4/internal.h"
#include "tests/host/ext4_image.h"

#define BITS (8u * EXT4_BLOCK_SIZE)
#define GROUPS                                                                                     \
	"-b 4096 -I 256 -g 256 -N 128 -O none,filetype,extent,sparse_super,large_file,"            \
	"extra_isize,uninit_bg,dir_nlink"
/* Of its 16 groups mke2fs 1.47.0 marks 14 as never used, 1.47.2 nine: not those with a copy of the
 * superblock. */
#define FEWEST 9

static struct image im;
static uint32_t seed = 77;
static uint8_t map[EXT4_BLOCK_SIZE] __attribute__((aligned(8)));
static bool model[BITS];

static uint32_t rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

/* ---- bits ---- */

static uint32_t model_next(uint32_t at, uint32_t end, bool set)
{
	while (at < end && model[at] != set)
		at++;
	return at;
}

static uint32_t model_fill(uint32_t at, uint32_t n, bool set)
{
	uint32_t changed = 0;

	for (; n; n--, at++) {
		changed += model[at] != set;
		model[at] = set;
	}
	return changed;
}

/* A range: short ones, long ones, and those that begin and end with words. */
static void range(uint32_t *at, uint32_t *n)
{
	*at = rnd(BITS);
	*n = rnd(3) ? rnd(200) : rnd(BITS);
	if (rnd(4) == 0) {
		*at -= *at % 64;
		*n -= *n % 64;
	}
	if (*n > BITS - *at)
		*n = BITS - *at;
}

static void words_do_what_single_bits_would(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t at, n;

		range(&at, &n);
		assert_int_equal(bits_next_set(map, at, at + n), model_next(at, at + n, true));
		assert_int_equal(bits_next_clear(map, at, at + n), model_next(at, at + n, false));
		if (rnd(2)) {
			bits_set(map, at, n);
			model_fill(at, n, true);
		} else {
			assert_int_equal(bits_clear(map, at, n), model_fill(at, n, false));
		}
	}
	for (uint32_t b = 0; b < BITS; b++)
		assert_int_equal(bit_test(map, b), model[b]);
}

static uint16_t crc_by_bits(uint16_t crc, const uint8_t *p, size_t n)
{
	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1;
	}
	return crc;
}

static void checksums_are_those_of_the_definition(void **state)
{
	uint8_t buf[100];

	(void)state;
	ext4_crc16_init();
	for (int round = 0; round < 2000; round++) {
		size_t n = rnd(sizeof(buf));
		uint16_t crc = (uint16_t)rnd(65536);

		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = rnd(4) ? 0 : (uint8_t)rnd(256);
		assert_int_equal(ext4_crc16(crc, buf, n), crc_by_bits(crc, buf, n));
	}
}

/* ---- groups of 1 MiB ---- */

static int up(void **state)
{
	(void)state;
	image_make(&im, 16, GROUPS);
	image_up(&im);
	return 0;
}

static int down(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

static void sums_fit(void)
{
	for (uint32_t g = 0; g < im.fs->groups; g++)
		assert_int_equal(ext4_desc(im.fs, g)->bg_checksum, ext4_desc_csum(im.fs, g));
}

static uint32_t never_used(void)
{
	uint32_t n = 0;

	for (uint32_t g = 0; g < im.fs->groups; g++)
		n += (ext4_desc_counts(im.fs, g).flags & BG_BLOCK_UNINIT) != 0;
	return n;
}

static void groups_that_a_file_leaves_are_as_if_unused(void **state)
{
	uint32_t before, during, after;
	struct ext4_inode *ip = im_create(&im, "/big");

	(void)state;
	before = never_used();
	for (int round = 0; round < 2; round++) {
		assert_int_equal(ext4_fallocate(ip, 0, 12 << 20, 0), 0);
		during = never_used();
		sums_fit();
		assert_int_equal(ext4_check(im.fs, NULL, NULL), 0);
		assert_int_equal(ext4_truncate(ip, 0), 0);
		after = never_used();
		sums_fit();
		assert_int_equal(ext4_check(im.fs, NULL, NULL), 0);
		assert_true(2 * during < before);
		/* all but the first, where the inode is, and the last one that it was in */
		assert_true(after >= before - 2);
	}
	im_put(ip);
	image_check(&im);
}

/* Block 200 of each MiB of `big` goes to a file of its own. */
static void settle_in_the_middle(struct ext4_inode *big, uint32_t i, uint64_t *pblk)
{
	struct ext4_inode *ip;
	struct ext4_map m;
	char name[8];

	assert_int_equal(ext4_map_blocks(big, (i << 8) + 200, 1, 0, &m), 0);
	assert_int_equal(ext4_punch_hole(big, (i << 20) + (200 << 12), 4096), 0);
	im.fs->goal = *pblk = m.pblk;
	snprintf(name, sizeof(name), "/n%u", i);
	ip = im_create(&im, name);
	im_write(ip, 0, "neighbour", 9);
	assert_int_equal(ext4_map_blocks(ip, 0, 1, 0, &m), 0);
	assert_int_equal(m.pblk, *pblk);
	im_put(ip);
}

/* One block of somebody else in each MiB: no group is given up. */
static void a_neighbour_keeps_the_bitmap(void **state)
{
	struct ext4_inode *ip = im_create(&im, "/big");
	uint64_t pblk[12];
	uint32_t before;

	(void)state;
	assert_int_equal(ext4_fallocate(ip, 0, 12 << 20, 0), 0);
	for (uint32_t i = 0; i < 12; i++)
		settle_in_the_middle(ip, i, &pblk[i]);
	before = never_used();
	assert_int_equal(ext4_truncate(ip, 0), 0);
	assert_int_equal(never_used(), before);
	sums_fit();
	for (uint32_t i = 0; i < 12; i++)
		assert_false(ext4_block_free(im.fs, pblk[i]));
	im_put(ip);
	image_check(&im);
}

/* The first block of group @g that `big` has, and where in the file it is. */
static uint32_t first_of_group(struct ext4_inode *big, uint32_t g, uint64_t *pblk)
{
	uint32_t found = 0;
	struct ext4_map m;

	*pblk = UINT64_MAX;
	for (uint32_t lblk = 0; lblk < 12 << 8; lblk++) {
		assert_int_equal(ext4_map_blocks(big, lblk, 1, 0, &m), 0);
		if (m.pblk / im.fs->blocks_per_group == g && m.pblk < *pblk) {
			*pblk = m.pblk;
			found = lblk;
		}
	}
	assert_int_not_equal(*pblk, UINT64_MAX);
	return found;
}

/* Somebody else's block lies between the tables and where the file begins: the group stays in use.
 */
static void a_neighbour_behind_the_tables_keeps_the_bitmap(void **state)
{
	const uint32_t theirs = 4;
	struct ext4_inode *ip = im_create(&im, "/big"), *other;
	uint64_t pblk;
	struct ext4_map m;
	uint32_t lblk;

	(void)state;
	assert_int_equal(ext4_fallocate(ip, 0, 12 << 20, 0), 0);
	lblk = first_of_group(ip, theirs, &pblk);
	assert_int_equal(ext4_punch_hole(ip, (uint64_t)lblk << 12, 4096), 0);
	im.fs->goal = pblk;
	other = im_create(&im, "/other");
	im_write(other, 0, "neighbour", 9);
	assert_int_equal(ext4_map_blocks(other, 0, 1, 0, &m), 0);
	assert_int_equal(m.pblk, pblk);
	im_put(other);
	assert_int_equal(ext4_truncate(ip, 0), 0);
	assert_false(ext4_block_free(im.fs, pblk));
	assert_false(ext4_desc_counts(im.fs, theirs).flags & BG_BLOCK_UNINIT);
	sums_fit();
	im_put(ip);
	image_check(&im);
}

/* What is free in a group without a bitmap of its own, and what is not. */
static void a_group_without_bitmap_knows_its_free_blocks(void **state)
{
	uint32_t g = im.fs->groups - 2;
	const uint64_t first = (uint64_t)g * im.fs->blocks_per_group;
	uint8_t *bits = ext4_block(im.fs, im.fs->group[g].block_bitmap);

	(void)state;
	assert_true(ext4_desc_counts(im.fs, g).flags & BG_BLOCK_UNINIT);
	memset(bits, 0xFF, EXT4_BLOCK_SIZE); /* it counts for nothing */
	assert_true(ext4_block_free(im.fs, first + im.fs->blocks_per_group - 1));
	assert_false(ext4_block_free(im.fs, im.fs->group[g].inode_table));
}

static int count_extents(void *ctx, const struct ext4_extent_info *e)
{
	if (e->kind == EXT4_OWN_UNWRITTEN)
		++*(uint32_t *)ctx;
	return 0;
}

/* Runs that touch across the border of two groups are one extent. */
static void extents_cross_groups(void **state)
{
	struct ext4_inode *ip;
	uint32_t extents = 0;

	(void)state;
	image_drop(&im);
	image_make(&im, 16, GROUPS ",flex_bg -G 16");
	image_up(&im);
	ip = im_create(&im, "/big");
	assert_int_equal(ext4_fallocate(ip, 0, 12 << 20, 0), 0);
	assert_int_equal(ext4_for_each_extent(im.fs, count_extents, &extents), 0);
	assert_true(extents >= 1 && extents <= 8); /* copies of the superblock lie in the way */
	assert_int_equal(ext4_truncate(ip, 0), 0);
	sums_fit();
	im_put(ip);
	image_check(&im);
}

/* The reserve lies in the last group. */
static bool no_reserve(void *ctx, enum ext4_exhibit what)
{
	(void)ctx;
	return what == EXT4_NO_RESERVE;
}

/* Whole groups that go as one: not one whose inode bitmap is in use, and not the last one, of which
 * tools take the block bitmap for in use as well. */
static void whole_groups_are_as_if_unused(void **state)
{
	const uint32_t used = 6, last = 15;
	struct ext4_inode *ip;
	uint32_t before;
	int err = 0;

	(void)state;
	image_drop(&im);
	image_make(&im, 16, GROUPS ",flex_bg -G 16");
	image_up(&im);
	ext4_group_init_inodes(im.fs, used);
	ip = im_create(&im, "/big");
	before = never_used();
	assert_int_equal(im.fs->groups, last + 1);
	im.fs->env.museum = no_reserve;
	while (!err) /* all blocks, whatever the tree takes of them */
		err = ext4_fallocate(ip, ip->size, 256 << 10, 0);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(never_used(), 0);
	assert_int_equal(ext4_truncate(ip, 0), 0);
	sums_fit();
	assert_true(never_used() >= before - 3 && before >= FEWEST);
	assert_false(ext4_desc_counts(im.fs, used).flags & BG_BLOCK_UNINIT);
	assert_false(ext4_desc_counts(im.fs, last).flags & BG_BLOCK_UNINIT);
	im_put(ip);
	image_check(&im);
}

/* With descriptors of 64 bytes: a count of free blocks whose upper half is damaged is set right
 * with the rest, and the groups before and behind are given up all the same. */
static void a_damaged_count_is_set_right(void **state)
{
	const uint32_t damaged = 6;
	struct ext4_inode *ip;
	uint32_t before, during;

	(void)state;
	image_drop(&im);
	image_make(&im, 16, GROUPS ",flex_bg,64bit -G 16");
	image_up(&im);
	ip = im_create(&im, "/big");
	before = never_used();
	assert_int_equal(ext4_fallocate(ip, 0, 12 << 20, 0), 0);
	during = never_used();
	assert_false(ext4_desc_counts(im.fs, damaged).flags & BG_BLOCK_UNINIT);
	ext4_desc(im.fs, damaged)->bg_free_blocks_hi = 1;
	ext4_desc(im.fs, damaged)->bg_checksum = ext4_desc_csum(im.fs, damaged);
	assert_int_equal(ext4_truncate(ip, 0), 0);
	sums_fit();
	assert_int_equal(ext4_desc_counts(im.fs, damaged).free_blocks, im.fs->blocks_per_group);
	assert_true(never_used() >= before - 2 && never_used() <= im.fs->groups - 3);
	assert_true(during <= before / 2);
	im_put(ip);
}

/* The definition: out of the device, or some block of it in a zone. */
static bool forbidden(const struct ext4_fs *fs, uint64_t pblk, uint64_t count)
{
	bool hit = !pblk || pblk >= fs->blocks || count > fs->blocks - pblk;

	for (uint32_t i = 0; i < fs->zones && !hit; i++)
		hit = pblk < fs->zone[i].first + fs->zone[i].count &&
		      fs->zone[i].first < pblk + count;
	return hit;
}

/* The gap that answered last answers again, and never for a run beside it. */
static void tables_are_forbidden_by_hint_and_by_search(void **state)
{
	unsigned allowed = 0;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		/* Around the ends of zones, and anywhere; often beside the run before. */
		const struct ext4_zone *z = &im.fs->zone[rnd(im.fs->zones)];
		uint64_t end = rnd(2) ? z->first : z->first + z->count;
		uint64_t pblk = rnd(4) ? end + rnd(5) - 2 : rnd((uint32_t)im.fs->blocks + 9);
		uint64_t count = rnd(8) ? 1 + rnd(4) : UINT64_MAX - rnd(9);
		bool want = forbidden(im.fs, pblk, count);

		assert_int_equal(ext4_forbidden(im.fs, pblk, count), want);
		assert_true(im.fs->gap <= im.fs->zones);
		allowed += !want;
	}
	assert_true(allowed >= 20000 && allowed <= 180000);
}

static bool *is_table; /* by block, from the descriptors */

static void mark(uint64_t first, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		assert_false(is_table[first + i]);
		is_table[first + i] = true;
	}
}

/* Zones are the tables of all groups, no more and no less, sorted, with a gap between any two;
 * and few where tables lie side by side. */
static void check_zones(uint32_t most)
{
	const struct ext4_fs *fs = im.fs;
	uint64_t head = 1 + ext4_gdt_blocks(fs) + fs->sb->s_reserved_gdt_blocks, end = 0;

	is_table = calloc(fs->blocks, sizeof(*is_table));
	assert_non_null(is_table);
	for (uint32_t g = 0; g < fs->groups; g++) {
		if (ext4_group_has_super(fs, g))
			mark((uint64_t)g * fs->blocks_per_group, head);
		mark(fs->group[g].block_bitmap, 1);
		mark(fs->group[g].inode_bitmap, 1);
		mark(fs->group[g].inode_table, fs->itable_blocks);
	}
	for (uint32_t i = 0; i < fs->zones; end = fs->zone[i].first + fs->zone[i].count, i++)
		assert_true(!i || fs->zone[i].first > end);
	for (uint64_t b = 1; b < fs->blocks; b++)
		assert_int_equal(ext4_forbidden(im.fs, b, 1), is_table[b]);
	assert_true(fs->zones >= 1 && fs->zones <= most);
	free(is_table);
}

static void zones_are_the_tables_of_all_groups(void **state)
{
	(void)state;
	check_zones(im.fs->groups); /* all of a group's side by side */
	image_drop(&im);
	image_make(&im, 16, GROUPS ",flex_bg -G 16");
	image_up(&im);
	check_zones(im.fs->groups / 2); /* those of 16 groups, and copies of the superblock */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_do_what_single_bits_would),
		cmocka_unit_test(checksums_are_those_of_the_definition),
		T(groups_that_a_file_leaves_are_as_if_unused),
		T(a_neighbour_keeps_the_bitmap),
		T(a_neighbour_behind_the_tables_keeps_the_bitmap),
		T(a_group_without_bitmap_knows_its_free_blocks),
		T(extents_cross_groups),
		T(whole_groups_are_as_if_unused),
		T(a_damaged_count_is_set_right),
		T(tables_are_forbidden_by_hint_and_by_search),
		T(zones_are_the_tables_of_all_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
