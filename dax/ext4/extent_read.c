/* SPDX-License-Identifier: MIT */
/*
 * Reading the extent tree.
 *
 * The root lies in the inode (4 records), every other node fills a block (340).  A leaf's record
 * is an extent: lblk, length, pblk.  An inner record is the first lblk below it and the child.
 * Records are sorted by lblk; depth falls by one with every step down, so a walk ends after at
 * most five steps whatever the bytes say.  Each node and record is checked where it is used:
 * a number that points out of the device or into metadata is -EIO with a sentence.
 */
#include "dax/ext4/internal.h"

struct ext4_extent ext4_make_extent(uint32_t lblk, uint64_t pblk, uint32_t len, bool unwritten)
{
	struct ext4_extent e;

	memset(&e, 0, sizeof(e));
	e.ee_block = lblk;
	e.ee_len = (uint16_t)(unwritten ? len + EXT4_EXT_MAX_LEN : len);
	e.ee_start_lo = (uint32_t)pblk;
	e.ee_start_hi = (uint16_t)(pblk >> 32);
	return e;
}

struct ext4_extent ext4_make_index(uint32_t lblk, uint64_t pblk)
{
	struct ext4_extent e;

	memset(&e, 0, sizeof(e));
	e.ee_block = lblk;
	e.ei_leaf_lo = (uint32_t)pblk;
	e.ei_leaf_hi = (uint16_t)(pblk >> 32);
	return e;
}

/* What is wrong with @node, in a sentence.  Out of line, as all that follows a failure here: every
 * look-up passes the checks. */
static int __attribute__((noinline))
refuse_node(struct ext4_fs *fs, uint32_t ino, struct ext4_extent_header *node, uint32_t depth,
	    uint32_t max)
{
	if (node->eh_magic != EXT4_EXT_MAGIC)
		return ext4_fail(fs, -EIO,
				 "inode %u: a tree node's magic is %#x, expected %#x; run `e2fsck "
				 "-fy IMAGE`",
				 (unsigned)ino, node->eh_magic, EXT4_EXT_MAGIC);
	if (node->eh_depth != depth)
		return ext4_fail(fs, -EIO,
				 "inode %u: a tree node is %u levels high, expected %u; run "
				 "`e2fsck -fy IMAGE`",
				 (unsigned)ino, node->eh_depth, (unsigned)depth);
	if (node->eh_max > max || node->eh_entries > node->eh_max)
		return ext4_fail(fs, -EIO,
				 "inode %u: a tree node claims %u of %u records, %u fit; run "
				 "`e2fsck -fy IMAGE`",
				 (unsigned)ino, node->eh_entries, node->eh_max, (unsigned)max);
	return ext4_fail(fs, -EIO, "inode %u: an inner tree node is empty; run `e2fsck -fy IMAGE`",
			 (unsigned)ino);
}

/* Is @node a node of @depth with room for at most @max records? */
int ext4_node_check(struct ext4_fs *fs, uint32_t ino, struct ext4_extent_header *node,
		    uint32_t depth, uint32_t max)
{
	if (node->eh_magic == EXT4_EXT_MAGIC && node->eh_depth == depth && node->eh_max <= max &&
	    node->eh_entries <= node->eh_max && (!depth || node->eh_entries))
		return 0;
	return refuse_node(fs, ino, node, depth, max);
}

static int __attribute__((noinline))
refuse_extent(struct ext4_fs *fs, uint32_t ino, const struct ext4_extent *e, uint32_t len)
{
	if (!len || (uint64_t)e->ee_block + len > EXT4_MAX_LBLK)
		return ext4_fail(
			fs, -EIO,
			"inode %u: extent at block %u has length %u; run `e2fsck -fy IMAGE`",
			(unsigned)ino, (unsigned)e->ee_block, (unsigned)len);
	return ext4_fail(fs, -EIO,
			 "inode %u: extent at block %u points to %llu+%u, out of the "
			 "device or into its tables; run `e2fsck -fy IMAGE`",
			 (unsigned)ino, (unsigned)e->ee_block, (unsigned long long)ext4_start(e),
			 (unsigned)len);
}

/* Does extent @e lie within the device and outside of metadata? */
int ext4_extent_check(struct ext4_fs *fs, uint32_t ino, const struct ext4_extent *e)
{
	uint32_t len = ext4_len(e);

	if (len && (uint64_t)e->ee_block + len <= EXT4_MAX_LBLK &&
	    !ext4_forbidden(fs, ext4_start(e), len))
		return 0;
	return refuse_extent(fs, ino, e, len);
}

/* The child that index record @e names: a node of @depth, checked. */
int ext4_child_node(struct ext4_fs *fs, uint32_t ino, const struct ext4_extent *e, uint32_t depth,
		    struct ext4_extent_header **node)
{
	uint64_t pblk = ext4_child(e);

	if (ext4_forbidden(fs, pblk, 1))
		return ext4_fail(fs, -EIO,
				 "inode %u: a tree node at block %llu, out of the device or in its "
				 "tables; run `e2fsck -fy IMAGE`",
				 (unsigned)ino, (unsigned long long)pblk);
	*node = ext4_block(fs, pblk);
	return ext4_node_check(fs, ino, *node, depth, EXT4_NODE_MAX);
}

/* The last record that begins at or before @lblk, or -1. */
static int last_before(struct ext4_extent_header *node, uint64_t lblk)
{
	const struct ext4_extent *rec = ext4_recs(node);
	int lo = 0, hi = node->eh_entries;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (rec[mid].ee_block <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

/*
 * ext4_find - walk from the root to the leaf that covers @lblk or would take it.
 * On success path->level[depth].at is the last extent at or before @lblk, -1 if none is.
 */
int ext4_find(struct ext4_inode *ip, uint64_t lblk, struct ext4_path *path)
{
	struct ext4_extent_header *node = ext4_root(ip->raw);
	uint32_t depth = node->eh_depth;
	uint64_t pblk = 0;
	int err;

	if (depth > EXT4_EXT_MAX_DEPTH)
		return ext4_fail(
			ip->fs, -EIO,
			"inode %u: extent tree of depth %u, at most %u; run `e2fsck -fy IMAGE`",
			(unsigned)ip->ino, (unsigned)depth, EXT4_EXT_MAX_DEPTH);
	err = ext4_node_check(ip->fs, ip->ino, node, depth, EXT4_ROOT_MAX);
	path->depth = depth;
	for (uint32_t i = 0; !err; i++) {
		struct ext4_extent *rec;

		path->level[i] = (struct ext4_level){node, pblk, last_before(node, lblk)};
		if (i == depth)
			return 0;
		if (path->level[i].at < 0)
			path->level[i].at = 0;
		rec = &ext4_recs(node)[path->level[i].at];
		pblk = ext4_child(rec);
		err = ext4_child_node(ip->fs, ip->ino, rec, depth - i - 1, &node);
	}
	return err;
}

/* The first lblk behind the path's record that any later record begins with. */
static uint64_t next_start(const struct ext4_path *path)
{
	for (int i = (int)path->depth; i >= 0; i--) {
		struct ext4_extent_header *node = path->level[i].node;
		int next = path->level[i].at + 1;

		if (next < node->eh_entries)
			return ext4_recs(node)[next].ee_block;
	}
	return EXT4_MAX_LBLK;
}

/* What lies at @lblk, and for how many blocks it goes on like this. */
int ext4_lookup_extent(struct ext4_inode *ip, uint64_t lblk, struct ext4_map *map)
{
	struct ext4_path path;
	const struct ext4_level *leaf;
	uint64_t next;
	int err;

	*map = (struct ext4_map){.lblk = lblk, .state = EXT4_HOLE, .count = 1};
	if (lblk >= EXT4_MAX_LBLK)
		return ext4_fail(ip->fs, -EFBIG, "block %llu is beyond the largest file",
				 (unsigned long long)lblk);
	err = ext4_find(ip, lblk, &path);
	if (err)
		return err;
	leaf = &path.level[path.depth];
	if (leaf->at >= 0) {
		const struct ext4_extent e = ext4_recs(leaf->node)[leaf->at];

		err = ext4_extent_check(ip->fs, ip->ino, &e);
		if (err)
			return err;
		if (lblk - e.ee_block < ext4_len(&e)) {
			map->pblk = ext4_start(&e) + (lblk - e.ee_block);
			map->count = (uint32_t)(e.ee_block + ext4_len(&e) - lblk);
			map->state = ext4_unwritten(&e) ? EXT4_UNWRITTEN : EXT4_WRITTEN;
			return 0;
		}
	}
	next = next_start(&path);
	if (next <= lblk)
		return ext4_fail(
			ip->fs, -EIO,
			"inode %u: extents out of order at block %llu; run `e2fsck -fy IMAGE`",
			(unsigned)ip->ino, (unsigned long long)lblk);
	map->count = (uint32_t)(next - lblk);
	return 0;
}
