/* SPDX-License-Identifier: MIT */
/*
 * Repair: bitmaps, counters and flags, written from what the survey counted.
 *
 * A group that was never initialised stays so unless something in it is owned.  Nothing here is
 * ordered: all of it is derived, and the device is marked clean only after a fence behind it.
 */
#include "dax/ext4/internal.h"

#define GROUP_BITS (8u * EXT4_BLOCK_SIZE)

/* Replace @map by @expect; how many of the first @n bits went up and down. */
static void write_map(struct repair *r, uint8_t *map, const uint8_t *expect, uint32_t n,
		      uint32_t *up, uint32_t *down)
{
	*up = *down = 0;
	if (!memcmp(map, expect, EXT4_BLOCK_SIZE))
		return;
	for (uint32_t b = 0; b < n; b++) {
		*up += bit_test(expect, b) && !bit_test(map, b);
		*down += !bit_test(expect, b) && bit_test(map, b);
	}
	memcpy(map, expect, EXT4_BLOCK_SIZE);
	pm_wb(r->fs, map, EXT4_BLOCK_SIZE);
}

static uint32_t zeroes(const uint8_t *map, uint32_t n)
{
	uint32_t free = 0;

	for (uint32_t b = 0; b < n; b++) {
		if (b % 8 == 0 && b + 8 <= n && (map[b / 8] == 0 || map[b / 8] == 0xFF)) {
			free += map[b / 8] ? 0 : 8;
			b += 7;
			continue;
		}
		free += !bit_test(map, b);
	}
	return free;
}

static int block_map(struct repair *r, uint32_t g, struct ext4_counts *n)
{
	struct ext4_fs *fs = r->fs;
	uint32_t blocks = ext4_group_blocks(fs, g), up, down;
	bool known = r->census.map[g];
	uint8_t *expect = ext4_census_group(&r->census, g);

	if (!expect)
		return ext4_fail(fs, -ENOMEM, "no memory to repair group %u", (unsigned)g);
	n->free_blocks = zeroes(expect, blocks);
	if ((n->flags & BG_BLOCK_UNINIT) && !known)
		return 0;
	if (n->flags & BG_BLOCK_UNINIT)
		ext4_say(fs, "group %u: its block bitmap is in use, flag cleared", (unsigned)g);
	n->flags &= ~BG_BLOCK_UNINIT;
	write_map(r, ext4_block(fs, fs->group[g].block_bitmap), expect, blocks, &up, &down);
	if (up || down)
		ext4_say(fs, "group %u: %u blocks marked used, %u blocks nobody owns marked free",
			 (unsigned)g, (unsigned)up, (unsigned)down);
	return 0;
}

static void expect_inodes(struct repair *r, uint32_t g, uint8_t *expect, uint32_t *highest)
{
	struct ext4_fs *fs = r->fs;

	memset(expect, 0, EXT4_BLOCK_SIZE);
	*highest = 0;
	for (uint32_t i = 0; i < fs->inodes_per_group; i++) {
		bool reserved = g == 0 && i + 1 < fs->first_ino;

		if (!reserved && !(r->links[g] && r->links[g][i]))
			continue;
		bit_set(expect, i);
		*highest = i + 1;
	}
	for (uint32_t i = fs->inodes_per_group; i < GROUP_BITS; i++)
		bit_set(expect, i);
}

static void inode_map(struct repair *r, uint32_t g, struct ext4_counts *n)
{
	struct ext4_fs *fs = r->fs;
	uint8_t *expect = r->scratch;
	uint32_t highest, up, down;

	expect_inodes(r, g, expect, &highest);
	n->free_inodes = zeroes(expect, fs->inodes_per_group);
	n->used_dirs = r->dirs[g];
	if ((n->flags & BG_INODE_UNINIT) && !highest) {
		n->itable_unused = fs->inodes_per_group;
		return;
	}
	n->flags &= ~BG_INODE_UNINIT;
	if (fs->inodes_per_group - n->itable_unused < highest)
		n->itable_unused = fs->inodes_per_group - highest;
	write_map(r, ext4_block(fs, fs->group[g].inode_bitmap), expect, fs->inodes_per_group, &up,
		  &down);
	if (up || down)
		ext4_say(fs, "group %u: %u inodes marked used, %u inodes marked free", (unsigned)g,
			 (unsigned)up, (unsigned)down);
}

static void super_counters(struct repair *r, uint64_t blocks, uint32_t inodes)
{
	struct ext4_super *sb = r->fs->sb;
	uint64_t had = sb->s_free_blocks_lo;

	if (r->fs->desc_size == 64)
		had |= (uint64_t)sb->s_free_blocks_hi << 32;
	if (had != blocks || sb->s_free_inodes != inodes)
		ext4_say(r->fs, "superblock: %llu blocks and %u inodes are free, not %llu and %u",
			 (unsigned long long)blocks, (unsigned)inodes, (unsigned long long)had,
			 (unsigned)sb->s_free_inodes);
	sb->s_free_blocks_lo = (uint32_t)blocks;
	if (r->fs->desc_size == 64)
		sb->s_free_blocks_hi = (uint32_t)(blocks >> 32);
	sb->s_free_inodes = inodes;
	pm_wb(r->fs, sb, sizeof(*sb));
}

/* Step 4 of repair. */
int repair_maps(struct repair *r)
{
	struct ext4_fs *fs = r->fs;
	uint64_t blocks = 0;
	uint32_t inodes = 0, wrong = 0;

	for (uint32_t g = 0; g < fs->groups; g++) {
		struct ext4_counts had = ext4_desc_counts(fs, g), n = had;
		int err = block_map(r, g, &n);

		if (err)
			return err;
		inode_map(r, g, &n);
		wrong += n.free_blocks != had.free_blocks || n.free_inodes != had.free_inodes ||
			 n.used_dirs != had.used_dirs;
		ext4_desc_set_counts(fs, g, &n);
		blocks += n.free_blocks;
		inodes += n.free_inodes;
	}
	if (wrong)
		ext4_say(fs, "counters of %u groups corrected", (unsigned)wrong);
	super_counters(r, blocks, inodes);
	ext4_sum_counts(fs);
	return 0;
}
