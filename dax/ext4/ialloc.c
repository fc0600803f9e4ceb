/* SPDX-License-Identifier: MIT */
/*
 * The inode allocator: one bit per inode, and the part of the table that was never zeroed.
 *
 * Bit set before the inode is filled in, inode cleared before the bit is: so an inode with a
 * link count always has its bit.  With gdt_csum the tail of an inode table may hold garbage
 * (bg_itable_unused); it is zeroed up to the new inode, fenced, then the mark moves: zeroes
 * before mark, else a cut turns garbage into inodes.
 */
#include "dax/ext4/internal.h"

static void add_free_inodes(struct ext4_fs *fs, uint32_t g, int32_t delta, int32_t dirs)
{
	fs->free_inodes = ext4_count(fs->free_inodes, delta, fs->inodes);
	fs->sb->s_free_inodes = (uint32_t)fs->free_inodes;
	pm_wb(fs, &fs->sb->s_free_inodes, sizeof(uint32_t));
	ext4_desc_add_inodes(fs, g, delta, dirs);
}

static void move_unused_mark(struct ext4_fs *fs, uint32_t g, uint32_t index)
{
	struct ext4_counts n = ext4_desc_counts(fs, g);
	uint32_t mark = fs->inodes_per_group - n.itable_unused;
	uint8_t *table = ext4_block(fs, fs->group[g].inode_table);
	size_t size = (size_t)(index - mark + 1) * fs->inode_size;

	if (!fs->gdt_csum || index < mark)
		return;
	memset(table + (size_t)mark * fs->inode_size, 0, size);
	pm_wb(fs, table + (size_t)mark * fs->inode_size, size);
	pm_fence(fs);
	n.itable_unused = fs->inodes_per_group - index - 1;
	ext4_desc_set_counts(fs, g, &n);
}

/* The bitmap calls it free; the inode must agree, else a file would be overwritten. */
static bool really_free(struct ext4_fs *fs, uint32_t g, uint32_t index)
{
	uint32_t ino = g * fs->inodes_per_group + index + 1;

	if (index >= ext4_itable_used(fs, g) || !ext4_raw(fs, ino)->i_links_count)
		return true;
	ext4_damage(fs,
		    "inode %u has links, the bitmap calls it free; it is not given out; run "
		    "`e2fsck -fy IMAGE` on the host",
		    (unsigned)ino);
	return false;
}

/* A free inode of group @g: its index, or inodes_per_group. */
static uint32_t free_index(struct ext4_fs *fs, uint32_t g)
{
	const uint8_t *map = ext4_block(fs, fs->group[g].inode_bitmap);
	const uint32_t n = fs->inodes_per_group;
	uint32_t i = bits_next_clear(map, g == 0 ? fs->first_ino - 1 : 0, n);

	while (i < n && !really_free(fs, g, i))
		i = bits_next_clear(map, i + 1, n);
	return i;
}

/*
 * Take an inode, in the group of @near if possible.  The bit is written back, not fenced: the
 * caller fences before it fills the inode in.
 */
int ext4_ialloc(struct ext4_fs *fs, uint32_t near, bool dir, uint32_t *ino)
{
	uint32_t g0 = (near - 1) / fs->inodes_per_group;

	for (uint32_t i = 0; i < fs->groups; i++) {
		uint32_t g = (g0 + i) % fs->groups, index;
		uint8_t *map = ext4_block(fs, fs->group[g].inode_bitmap);

		if (!ext4_desc_counts(fs, g).free_inodes)
			continue;
		ext4_group_init_inodes(fs, g);
		ext4_group_init_blocks(fs, g);
		index = free_index(fs, g);
		if (index == fs->inodes_per_group)
			continue;
		move_unused_mark(fs, g, index);
		bit_set(map, index);
		pm_wb(fs, map + index / 8, 1);
		add_free_inodes(fs, g, -1, dir);
		*ino = g * fs->inodes_per_group + index + 1;
		return 0;
	}
	return ext4_fail(fs, -ENOSPC, "no free inode left: the device was made with %u",
			 (unsigned)fs->inodes);
}

/* Clear the bit of @ino; the caller has fenced the inode's zero link count before. */
void ext4_ifree(struct ext4_fs *fs, uint32_t ino, bool dir)
{
	uint32_t g = (ino - 1) / fs->inodes_per_group, index = (ino - 1) % fs->inodes_per_group;
	uint8_t *map = ext4_block(fs, fs->group[g].inode_bitmap);

	if (!bit_test(map, index))
		return;
	bit_clear(map, index);
	pm_wb(fs, map + index / 8, 1);
	add_free_inodes(fs, g, 1, -(int32_t)dir);
}
