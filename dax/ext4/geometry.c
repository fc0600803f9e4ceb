/* SPDX-License-Identifier: MIT */
/*
 * Do the superblock's numbers agree with each other and with the device?
 *
 * Everything that is later used as a divisor, a bound or an offset is proven here once and kept
 * in struct ext4_fs; the superblock is not asked again.  One function a claim, one sentence a
 * refusal.
 */
#include "dax/ext4/internal.h"

static int check_sizes(struct ext4_fs *fs)
{
	const struct ext4_super *sb = fs->sb;

	if (sb->s_log_block_size != 2)
		return ext4_fail(fs, -EINVAL,
				 "block size is 1024 << %u, holdfast maps pages of 4096: run "
				 "`mkfs.ext4 -b 4096`",
				 (unsigned)sb->s_log_block_size);
	if (sb->s_log_cluster_size != sb->s_log_block_size)
		return ext4_fail(fs, -EINVAL, "superblock: cluster size differs from block size");
	if (sb->s_inode_size != 256 && sb->s_inode_size != 128)
		return ext4_fail(fs, -EINVAL,
				 "inode size %u is not 256 or 128: run "
				 "`mkfs.ext4 -I 256`",
				 sb->s_inode_size);
	if (sb->s_first_data_block != 0)
		return ext4_fail(fs, -EINVAL, "superblock: first data block is %u, expected 0",
				 (unsigned)sb->s_first_data_block);
	fs->inode_size = sb->s_inode_size;
	return 0;
}

static int check_desc_size(struct ext4_fs *fs)
{
	const struct ext4_super *sb = fs->sb;

	fs->desc_size = 32;
	if (!(sb->s_feature_incompat & INCOMPAT_64BIT))
		return 0;
	if (sb->s_desc_size != 64)
		return ext4_fail(fs, -EINVAL, "superblock: descriptor size is %u, expected 64",
				 sb->s_desc_size);
	fs->desc_size = 64;
	return 0;
}

static int check_blocks(struct ext4_fs *fs)
{
	const struct ext4_super *sb = fs->sb;
	uint64_t device = fs->env.size / EXT4_BLOCK_SIZE;

	fs->blocks = sb->s_blocks_count_lo;
	if (fs->desc_size == 64)
		fs->blocks |= (uint64_t)sb->s_blocks_count_hi << 32;
	if (fs->blocks > UINT32_MAX)
		return ext4_fail(fs, -EINVAL, "superblock: %llu blocks; up to 16 TiB are handled",
				 (unsigned long long)fs->blocks);
	if (fs->blocks > device)
		return ext4_fail(fs, -EINVAL,
				 "truncated device: the superblock claims %llu blocks of 4096, the "
				 "device has %llu; give it %llu bytes or run mkfs.ext4 again",
				 (unsigned long long)fs->blocks, (unsigned long long)device,
				 (unsigned long long)fs->blocks * EXT4_BLOCK_SIZE);
	if (fs->blocks < 16)
		return ext4_fail(fs, -EINVAL, "superblock: only %llu blocks",
				 (unsigned long long)fs->blocks);
	return 0;
}

static int check_groups(struct ext4_fs *fs)
{
	const struct ext4_super *sb = fs->sb;
	uint32_t bpg = sb->s_blocks_per_group, ipg = sb->s_inodes_per_group;
	uint32_t per_block = EXT4_BLOCK_SIZE / fs->inode_size;

	if (bpg < 256 || bpg > 8 * EXT4_BLOCK_SIZE || bpg % 8)
		return ext4_fail(fs, -EINVAL,
				 "superblock: %u blocks per group, expected 256 to 32768, a "
				 "multiple of 8",
				 (unsigned)bpg);
	if (ipg == 0 || ipg > 8 * EXT4_BLOCK_SIZE || ipg % per_block)
		return ext4_fail(fs, -EINVAL,
				 "superblock: %u inodes per group, expected 1 to 32768, a multiple "
				 "of %u",
				 (unsigned)ipg, (unsigned)per_block);
	fs->blocks_per_group = bpg;
	fs->inodes_per_group = ipg;
	fs->itable_blocks = ipg / per_block;
	fs->groups = (uint32_t)((fs->blocks + bpg - 1) / bpg);
	if (fs->itable_blocks >= bpg)
		return ext4_fail(fs, -EINVAL, "superblock: the inode table fills its group");
	return 0;
}

static int check_inodes(struct ext4_fs *fs)
{
	const struct ext4_super *sb = fs->sb;
	uint64_t expect = (uint64_t)fs->groups * fs->inodes_per_group;

	if (sb->s_inodes_count != expect)
		return ext4_fail(fs, -EINVAL,
				 "superblock: %u inodes, but %u groups of %u make %llu",
				 (unsigned)sb->s_inodes_count, (unsigned)fs->groups,
				 (unsigned)fs->inodes_per_group, (unsigned long long)expect);
	if (sb->s_first_ino < 11 || sb->s_first_ino > fs->inodes_per_group)
		return ext4_fail(fs, -EINVAL, "superblock: first inode is %u, expected 11",
				 (unsigned)sb->s_first_ino);
	fs->inodes = sb->s_inodes_count;
	fs->first_ino = sb->s_first_ino;
	return 0;
}

static int check_descriptors(struct ext4_fs *fs)
{
	uint64_t need = 1 + ext4_gdt_blocks(fs) + fs->sb->s_reserved_gdt_blocks;

	if (need >= ext4_group_blocks(fs, 0))
		return ext4_fail(fs, -EINVAL,
				 "superblock: descriptors need %llu blocks, group 0 has %u",
				 (unsigned long long)need, (unsigned)ext4_group_blocks(fs, 0));
	fs->gdt = ext4_block(fs, 1);
	fs->gdt_csum = ext4_has(fs, RO_GDT_CSUM);
	if (fs->gdt_csum)
		ext4_group_sums_init(fs);
	return 0;
}

int ext4_check_geometry(struct ext4_fs *fs)
{
	static int (*const claims[])(struct ext4_fs *) = {
		check_sizes,  check_desc_size, check_blocks,
		check_groups, check_inodes,    check_descriptors,
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(claims) / sizeof(claims[0]); i++)
		err = claims[i](fs);
	return err;
}
