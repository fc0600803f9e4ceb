/* SPDX-License-Identifier: MIT */
/*
 * What the reserved inodes own: blocks that are in use although no name leads to them.
 *
 * Inode 1 lists the device's bad blocks (mkfs -l), inode 7 keeps room for descriptors, others hold
 * a journal, quotas or a boot loader, now or in the past.  Older than extents, these lists may be
 * block maps: 12 numbers, then numbers of blocks full of numbers, up to three levels.  What they
 * name counts as used; nothing here ever changes it.
 */
#include "dax/ext4/internal.h"

#define DIRECT	  12u
#define PER_BLOCK (EXT4_BLOCK_SIZE / 4)

struct list {
	struct ext4_fs *fs;
	uint32_t ino;
	uint64_t left; /* so many blocks may still follow: a map that loops has more than the device
			*/
	ext4_extent_cb cb;
	void *ctx;
};

static int damaged(const struct list *l, uint32_t pblk)
{
	return ext4_fail(l->fs, -EIO,
			 "reserved inode %u: its map names block %u, out of the device or a second "
			 "time; run `e2fsck -fy IMAGE`",
			 (unsigned)l->ino, (unsigned)pblk);
}

/* One block of the list.  A bad block may lie where a table would be: that is reserved already. */
static int visit(struct list *l, uint32_t pblk)
{
	const struct ext4_extent_info info = {
		.ino = l->ino, .kind = EXT4_OWN_META, .pblk = pblk, .count = 1};

	if (pblk >= l->fs->blocks || !l->left--)
		return damaged(l, pblk);
	return ext4_forbidden(l->fs, pblk, 1) ? 0 : l->cb(l->ctx, &info);
}

/* A block of numbers, @depth levels above what it names; zero: nothing is named. */
static int visit_map(struct list *l, uint32_t pblk, uint32_t depth)
{
	const uint32_t *number;
	int err;

	if (!pblk)
		return 0;
	err = visit(l, pblk);
	if (err || !depth)
		return err;
	if (ext4_forbidden(l->fs, pblk, 1))
		return damaged(l, pblk);
	number = ext4_block(l->fs, pblk);
	for (uint32_t i = 0; !err && i < PER_BLOCK; i++)
		err = visit_map(l, number[i], depth - 1);
	return err;
}

static int visit_numbers(struct list *l, const struct ext4_disk_inode *raw)
{
	uint32_t number[15];
	int err = 0;

	memcpy(number, raw->i_block, sizeof(number));
	for (uint32_t i = 0; !err && i < 15; i++)
		err = visit_map(l, number[i], i < DIRECT ? 0 : i - DIRECT + 1);
	return err;
}

/* The resize inode keeps one block of its own; what that names is in the zones. */
static int visit_resize(struct list *l, const struct ext4_disk_inode *raw)
{
	uint32_t dind;

	if (!(l->fs->sb->s_feature_compat & COMPAT_RESIZE_INODE))
		return 0;
	memcpy(&dind, raw->i_block + 13 * 4, sizeof(dind));
	return dind && !ext4_forbidden(l->fs, dind, 1) ? visit(l, dind) : 0;
}

static int visit_inode(struct list *l)
{
	const struct ext4_disk_inode *raw = ext4_raw(l->fs, l->ino);

	if (l->ino == EXT4_RESIZE_INO)
		return visit_resize(l, raw);
	if (ext4_has_tree(raw))
		return ext4_for_each_of(l->fs, l->ino, l->cb, l->ctx);
	if (l->ino == EXT4_BAD_INO || (raw->i_mode & EXT4_S_IFMT) == EXT4_S_IFREG)
		return visit_numbers(l, raw);
	return 0;
}

int ext4_for_each_reserved(struct ext4_fs *fs, ext4_extent_cb cb, void *ctx)
{
	struct list l = {.fs = fs, .left = fs->blocks, .cb = cb, .ctx = ctx};
	int err = 0;

	for (uint32_t i = 0; !err && i < fs->zones; i++) {
		struct ext4_extent_info info = {
			.kind = EXT4_OWN_META,
			.pblk = fs->zone[i].first,
			.count = (uint32_t)fs->zone[i].count,
		};
		err = cb(ctx, &info);
	}
	for (l.ino = 1; !err && l.ino < fs->first_ino; l.ino++)
		if (l.ino != EXT4_ROOT_INO)
			err = visit_inode(&l);
	return err;
}
