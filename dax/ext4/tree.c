/* SPDX-License-Identifier: MIT */
/*
 * Walking a whole extent tree, every record checked.
 *
 * Used where one bad record matters: scans, check, repair.  Beside the checks of a look-up the
 * records must be in order and inside the range their index promises.  That also bounds the
 * work: a node that two records share would have to lie in two disjoint ranges.
 * The leftmost index of a node may promise a later start than its child has: that is what a cut
 * between a pointer switch and the key's correction leaves (extent_node.c).
 */
#include "dax/ext4/internal.h"

struct walk {
	struct ext4_fs *fs;
	uint32_t ino;
	ext4_extent_cb cb;
	void *ctx;
};

static int disorder(const struct walk *w, uint64_t lblk)
{
	return ext4_fail(w->fs, -EIO,
			 "inode %u: extents out of order at block %llu; run `e2fsck -fy IMAGE`",
			 (unsigned)w->ino, (unsigned long long)lblk);
}

static int walk_leaf(const struct walk *w, struct ext4_extent_header *leaf, uint64_t lo,
		     uint64_t hi)
{
	for (uint32_t i = 0; i < leaf->eh_entries; i++) {
		const struct ext4_extent e = ext4_recs(leaf)[i];
		struct ext4_extent_info info = {
			.ino = w->ino,
			.kind = ext4_unwritten(&e) ? EXT4_OWN_UNWRITTEN : EXT4_OWN_DATA,
			.lblk = e.ee_block,
			.pblk = ext4_start(&e),
			.count = ext4_len(&e),
		};
		int err = ext4_extent_check(w->fs, w->ino, &e);

		if (err)
			return err;
		if (e.ee_block < lo || (uint64_t)e.ee_block + ext4_len(&e) > hi)
			return disorder(w, e.ee_block);
		lo = (uint64_t)e.ee_block + ext4_len(&e);
		err = w->cb(w->ctx, &info);
		if (err)
			return err;
	}
	return 0;
}

static int walk_node(const struct walk *w, struct ext4_extent_header *node, uint64_t lo,
		     uint64_t hi)
{
	int err = 0;

	if (node->eh_depth == 0)
		return walk_leaf(w, node, lo, hi);
	for (uint32_t i = 0; !err && i < node->eh_entries; i++) {
		const struct ext4_extent *rec = &ext4_recs(node)[i];
		bool last = i + 1u == node->eh_entries;
		uint64_t from = i ? rec->ee_block : lo, to = last ? hi : rec[1].ee_block;
		struct ext4_extent_info info = {.ino = w->ino, .kind = EXT4_OWN_TREE, .count = 1};
		struct ext4_extent_header *child;

		if (from < lo || from >= to || to > hi)
			return disorder(w, rec->ee_block);
		err = ext4_child_node(w->fs, w->ino, rec, node->eh_depth - 1u, &child);
		if (!err && !child->eh_entries)
			err = ext4_fail(w->fs, -EIO,
					"inode %u: an empty leaf; run `e2fsck -fy IMAGE`",
					(unsigned)w->ino);
		if (err)
			return err;
		info.pblk = ext4_child(rec);
		err = w->cb(w->ctx, &info);
		if (!err)
			err = walk_node(w, child, from, to);
	}
	return err;
}

/* Hand every node and extent of inode @ino's tree to @cb, from the first lblk to the last. */
int ext4_tree_walk(struct ext4_fs *fs, uint32_t ino, ext4_extent_cb cb, void *ctx)
{
	const struct walk w = {fs, ino, cb, ctx};
	struct ext4_extent_header *root = ext4_root(ext4_raw(fs, ino));
	int err;

	if (root->eh_depth > EXT4_EXT_MAX_DEPTH)
		return ext4_fail(
			fs, -EIO,
			"inode %u: extent tree of depth %u, at most %u; run `e2fsck -fy IMAGE`",
			(unsigned)ino, root->eh_depth, EXT4_EXT_MAX_DEPTH);
	err = ext4_node_check(fs, ino, root, root->eh_depth, EXT4_ROOT_MAX);
	return err ? err : walk_node(&w, root, 0, EXT4_MAX_LBLK);
}

/* Post-order: each key becomes the first lblk below it.  The walk has checked the tree. */
static uint32_t fix_node(struct ext4_fs *fs, uint32_t ino, struct ext4_extent_header *node,
			 uint32_t *fixed)
{
	struct ext4_extent *rec = ext4_recs(node);

	for (uint32_t i = 0; node->eh_depth && i < node->eh_entries; i++) {
		struct ext4_extent_header *child;
		uint32_t key;

		if (ext4_child_node(fs, ino, &rec[i], node->eh_depth - 1u, &child))
			continue;
		key = fix_node(fs, ino, child, fixed);
		if (rec[i].ee_block == key)
			continue;
		pm_set32(fs, &rec[i].ee_block, key);
		(*fixed)++;
	}
	return node->eh_entries ? rec[0].ee_block : 0;
}

/* Correct the keys a cut left behind; returns how many.  Precondition: the tree was walked. */
uint32_t ext4_tree_fix_keys(struct ext4_fs *fs, uint32_t ino)
{
	uint32_t fixed = 0;

	fix_node(fs, ino, ext4_root(ext4_raw(fs, ino)), &fixed);
	return fixed;
}
