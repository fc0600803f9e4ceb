/* SPDX-License-Identifier: MIT */
/*
 * Changing one node of the extent tree, atomically.
 *
 * ext4_splice replaces a few neighbouring records of a node by others.  A record has 12 bytes,
 * more than one store can change, so an update takes one of three shapes, each with one commit:
 *
 *   tail    records are added behind the last or dropped from the end: the records first, fence,
 *           then eh_entries (2 bytes).  No block is needed.
 *   copy    a new block receives the whole new node, fence, then the 4-byte child pointer in
 *           the parent is switched.  Two new blocks if the records overflow one; the parent
 *           is then spliced the same way, and so on up.
 *   root    the four records in the inode are replaced by ext4_inode_commit; if they overflow,
 *           they move down into a new block and the tree grows by a level.
 *
 * A cut shows the old tree or the new one.  What may be stale: the first-lblk key of an index
 * whose leftmost child changed (fixed right after the switch; repair does it too), and i_blocks.
 * The old node is freed only after the switch is fenced: else a cut shows a tree that reaches a
 * free block.  Its records stay readable until then, which ext4_free_blocks relies on.
 */
#include "dax/ext4/internal.h"

struct edit {
	struct ext4_inode *ip;
	struct ext4_path *path;
	uint32_t flags; /* for ext4_balloc */
};

static int splice(struct edit *ed, uint32_t level, uint32_t at, uint32_t del,
		  const struct ext4_extent *recs, uint32_t n);

static uint32_t height(const struct edit *ed, uint32_t level)
{
	return ed->path->depth - level;
}

/* A new node with @n records, written back; unreachable until somebody links it. */
static int new_node(struct edit *ed, uint32_t depth, const struct ext4_extent *recs, uint32_t n,
		    uint64_t *pblk)
{
	struct ext4_fs *fs = ed->ip->fs;
	struct ext4_extent_header *node;
	uint32_t got;
	int err = ext4_balloc(fs, ext4_goal(ed->ip, 0), 1, ed->flags, pblk, &got);

	if (err)
		return err;
	node = ext4_block(fs, *pblk);
	memset(node, 0, EXT4_BLOCK_SIZE);
	node->eh_magic = EXT4_EXT_MAGIC;
	node->eh_max = EXT4_NODE_MAX;
	node->eh_depth = (uint16_t)depth;
	node->eh_entries = (uint16_t)n;
	memcpy(ext4_recs(node), recs, n * sizeof(*recs));
	pm_wb(fs, node, EXT4_BLOCK_SIZE);
	ext4_add_blocks(ed->ip, 1);
	return 0;
}

/* A node that nobody reaches any more (the caller has fenced that), or never did. */
static void drop_node(struct edit *ed, uint64_t pblk)
{
	ext4_bfree(ed->ip->fs, pblk, 1);
	ext4_add_blocks(ed->ip, -1);
}

static void set_entries(struct ext4_fs *fs, struct ext4_extent_header *node, uint32_t n)
{
	pm_set16(fs, &node->eh_entries, (uint16_t)n);
	/* Durable before the caller frees or links anything that depends on it. */
	pm_fence(fs);
}

static void append(struct edit *ed, uint32_t level, const struct ext4_extent *rec)
{
	struct ext4_extent_header *node = ed->path->level[level].node;
	struct ext4_extent *slot = &ext4_recs(node)[node->eh_entries];

	*slot = *rec;
	pm_wb(ed->ip->fs, slot, sizeof(*slot));
	/* Record (and what it points to) before count, else a cut counts garbage. */
	pm_fence(ed->ip->fs);
	set_entries(ed->ip->fs, node, node->eh_entries + 1u);
}

/* The node's records after the splice, into @out. */
static uint32_t merged(const struct ext4_extent_header *node, uint32_t at, uint32_t del,
		       const struct ext4_extent *recs, uint32_t n, struct ext4_extent *out)
{
	const struct ext4_extent *old = (const struct ext4_extent *)(node + 1);
	uint32_t tail = node->eh_entries - at - del;

	memcpy(out, old, at * sizeof(*out));
	if (n)
		memcpy(out + at, recs, n * sizeof(*out));
	memcpy(out + at + n, old + at + del, tail * sizeof(*out));
	return at + n + tail;
}

/* Replace the root's records; @depth is the new depth of the root. */
static void commit_root(struct edit *ed, uint32_t depth, const struct ext4_extent *recs, uint32_t n)
{
	struct ext4_disk_inode image = *ed->ip->raw;
	struct ext4_extent_header *root = ext4_root(&image);

	root->eh_depth = (uint16_t)depth;
	root->eh_entries = (uint16_t)n;
	root->eh_max = EXT4_ROOT_MAX;
	if (n)
		memcpy(ext4_recs(root), recs, n * sizeof(*recs));
	memset(ext4_recs(root) + n, 0, (EXT4_ROOT_MAX - n) * sizeof(*recs));
	ext4_inode_commit(ed->ip->fs, ed->ip->ino, &image);
}

static int splice_root(struct edit *ed, const struct ext4_extent *recs, uint32_t n)
{
	uint32_t depth = ed->path->depth;
	struct ext4_extent index;
	uint64_t pblk;
	int err;

	if (n <= EXT4_ROOT_MAX) {
		/* What the records name is durable before the root names it: the commit fences. */
		commit_root(ed, n ? depth : 0, recs, n);
		return 0;
	}
	if (depth == EXT4_EXT_MAX_DEPTH)
		return ext4_fail(ed->ip->fs, -ENOSPC, "inode %u: the extent tree is full",
				 (unsigned)ed->ip->ino);
	err = new_node(ed, depth, recs, n, &pblk);
	if (err)
		return err;
	index = ext4_make_index(recs[0].ee_block, pblk);
	commit_root(ed, depth + 1, &index, 1);
	return 0;
}

/* Set the keys of the ancestors of the node on @level, as far as it is their leftmost child. */
static void fix_keys(struct ext4_inode *ip, struct ext4_path *path, uint32_t level, uint32_t key)
{
	while (level-- > 0) {
		struct ext4_level *l = &path->level[level];
		struct ext4_extent *rec = &ext4_recs(l->node)[l->at];

		if (rec->ee_block == key)
			return;
		pm_set32(ip->fs, &rec->ee_block, key);
		if (l->at != 0)
			break;
	}
	/* Durable on return; a cut before it is mended by repair. */
	pm_fence(ip->fs);
}

/* The whole node goes into one new block and the parent's pointer is switched. */
static int replace_by_one(struct edit *ed, uint32_t level, const struct ext4_extent *recs,
			  uint32_t n)
{
	struct ext4_fs *fs = ed->ip->fs;
	struct ext4_level *up = &ed->path->level[level - 1], *me = &ed->path->level[level];
	struct ext4_extent *link = &ext4_recs(up->node)[up->at];
	uint64_t pblk;
	int err = new_node(ed, height(ed, level), recs, n, &pblk);

	if (err)
		return err;
	/* The new node before the pointer to it, else a cut reaches an unwritten node. */
	pm_fence(fs);
	pm_set32(fs, &link->ei_leaf_lo, (uint32_t)pblk);
	/* The switch before the old node is freed. */
	pm_fence(fs);
	drop_node(ed, me->pblk);
	me->node = ext4_block(fs, pblk);
	me->pblk = pblk;
	fix_keys(ed->ip, ed->path, level, recs[0].ee_block);
	return 0;
}

/*
 * Where to part @total records of which [at, at + n) are new: a file that grows or shrinks from
 * one side leaves full nodes behind, anything else gets halves.
 */
static uint32_t parting(uint32_t at, uint32_t n, uint32_t total)
{
	if (at + n == total)
		return total - 1 < EXT4_NODE_MAX ? total - 1 : EXT4_NODE_MAX;
	if (at == 0 && n && total - n <= EXT4_NODE_MAX)
		return n;
	return total / 2;
}

/* The records overflow: two new blocks, and two index records instead of one in the parent. */
static int replace_by_two(struct edit *ed, uint32_t level, const struct ext4_extent *recs,
			  uint32_t n, uint32_t half)
{
	uint64_t old = ed->path->level[level].pblk, left, right;
	struct ext4_extent index[2];
	int err = new_node(ed, height(ed, level), recs, half, &left);

	if (err)
		return err;
	err = new_node(ed, height(ed, level), recs + half, n - half, &right);
	if (err)
		goto no_right;
	index[0] = ext4_make_index(recs[0].ee_block, left);
	index[1] = ext4_make_index(recs[half].ee_block, right);
	err = splice(ed, level - 1, (uint32_t)ed->path->level[level - 1].at, 1, index, 2);
	if (err)
		goto no_parent;
	drop_node(ed, old);
	return 0;

no_parent:
	drop_node(ed, right);
no_right:
	drop_node(ed, left);
	return err;
}

/* A full node that grows at its end stays as it is; the new records start a node beside it. */
static int add_sibling(struct edit *ed, uint32_t level, const struct ext4_extent *recs, uint32_t n)
{
	struct ext4_extent index;
	uint64_t pblk;
	int err = new_node(ed, height(ed, level), recs, n, &pblk);

	if (err)
		return err;
	index = ext4_make_index(recs[0].ee_block, pblk);
	err = splice(ed, level - 1, (uint32_t)ed->path->level[level - 1].at + 1, 0, &index, 1);
	if (err)
		drop_node(ed, pblk);
	return err;
}

/* An empty root is a leaf: count and depth lie in one 8-byte word, changed by one store. */
static void clear_root(struct ext4_fs *fs, struct ext4_extent_header *root)
{
	typedef uint64_t __attribute__((may_alias)) word_t;
	struct ext4_extent_header empty = *root;
	uint64_t word;

	empty.eh_entries = 0;
	empty.eh_depth = 0;
	memcpy(&word, &empty, sizeof(word));
	__atomic_store_n((word_t *)root, word, __ATOMIC_RELAXED);
	pm_wb(fs, root, sizeof(word));
	/* Durable before the caller frees what the root reached. */
	pm_fence(fs);
}

/* The shapes that need no new block.  Returns false when none fits. */
static bool in_place(struct edit *ed, uint32_t level, uint32_t at, uint32_t del,
		     const struct ext4_extent *recs, uint32_t n)
{
	struct ext4_fs *fs = ed->ip->fs;
	struct ext4_extent_header *node = ed->path->level[level].node;
	bool at_end = at + del == node->eh_entries;
	uint32_t left = node->eh_entries - del;

	if (at_end && del == 0 && n == 1 && at < node->eh_max) {
		append(ed, level, recs);
		return true;
	}
	if (at_end && n == 0 && left) {
		set_entries(fs, node, left);
		return true;
	}
	if (n == 0 && left == 0 && level == 0) {
		clear_root(fs, node);
		return true;
	}
	/* One extent changes its length only: two bytes. */
	if (del == 1 && n == 1 && height(ed, level) == 0) {
		struct ext4_extent *old = &ext4_recs(node)[at];

		if (old->ee_block == recs->ee_block && ext4_start(old) == ext4_start(recs)) {
			/* The blocks it gains are durable before they are reachable. */
			pm_fence(fs);
			pm_set16(fs, &old->ee_len, recs->ee_len);
			pm_fence(fs);
			return true;
		}
	}
	return false;
}

static int splice(struct edit *ed, uint32_t level, uint32_t at, uint32_t del,
		  const struct ext4_extent *recs, uint32_t n)
{
	struct ext4_level *me = &ed->path->level[level];
	struct ext4_extent *all;
	uint32_t total;
	int err;

	if (in_place(ed, level, at, del, recs, n))
		return 0;
	if (level && me->node->eh_entries == del && n == 0) {
		/* The node is empty now: its parent forgets it, then it is freed. */
		err = splice(ed, level - 1, (uint32_t)ed->path->level[level - 1].at, 1, NULL, 0);
		if (!err)
			drop_node(ed, me->pblk);
		return err;
	}
	if (level && at == me->node->eh_entries && del == 0 && at == me->node->eh_max)
		return add_sibling(ed, level, recs, n);
	all = malloc((me->node->eh_entries + n) * sizeof(*all));
	if (!all)
		return ext4_fail(ed->ip->fs, -ENOMEM, "no memory to change an extent tree");
	total = merged(me->node, at, del, recs, n, all);
	if (level == 0)
		err = splice_root(ed, all, total);
	else if (total <= EXT4_NODE_MAX)
		err = replace_by_one(ed, level, all, total);
	else
		err = replace_by_two(ed, level, all, total, parting(at, n, total));
	free(all);
	return err;
}

/*
 * ext4_collapse - while the root has a single child whose records fit it, take them over.
 * Needs no block.  Keeps small trees in the shape e2fsck calls optimal.
 */
int ext4_collapse(struct ext4_inode *ip)
{
	struct ext4_extent_header *root = ext4_root(ip->raw), *child;
	struct ext4_path path;
	struct edit ed = {ip, &path, 0};

	while (root->eh_depth && root->eh_entries == 1) {
		uint64_t pblk = ext4_child(ext4_recs(root));
		int err = ext4_child_node(ip->fs, ip->ino, ext4_recs(root), root->eh_depth - 1u,
					  &child);

		if (err)
			return err;
		if (child->eh_entries > EXT4_ROOT_MAX)
			return 0;
		commit_root(&ed, child->eh_depth, ext4_recs(child), child->eh_entries);
		drop_node(&ed, pblk);
	}
	return 0;
}

/* Put the records of leaves @at and @at + 1 of the path's last index node into one block. */
static int join_leaves(struct edit *ed, int at)
{
	uint32_t level = ed->path->depth - 1, n;
	struct ext4_extent *slot = &ext4_recs(ed->path->level[level].node)[at];
	uint64_t old[2] = {ext4_child(&slot[0]), ext4_child(&slot[1])}, pblk;
	struct ext4_extent_header *a = ext4_block(ed->ip->fs, old[0]);
	struct ext4_extent_header *b = ext4_block(ed->ip->fs, old[1]);
	struct ext4_extent *both = malloc((a->eh_entries + b->eh_entries) * sizeof(*both)), index;
	int err;

	if (!both)
		return -ENOMEM;
	n = merged(a, a->eh_entries, 0, ext4_recs(b), b->eh_entries, both);
	err = new_node(ed, 0, both, n, &pblk);
	if (!err) {
		index = ext4_make_index(both[0].ee_block, pblk);
		err = splice(ed, level, (uint32_t)at, 2, &index, 1);
		drop_node(ed, err ? pblk : old[0]);
		if (!err)
			drop_node(ed, old[1]);
	}
	free(both);
	return err;
}

/*
 * Are leaves @at and @at + 1 so thin that one block holds both?  With no such pair leaves are half
 * full on the whole, and e2fsck has no advice to give.
 */
static bool thin(struct edit *ed, int at)
{
	struct ext4_inode *ip = ed->ip;
	struct ext4_extent_header *up = ed->path->level[ed->path->depth - 1].node, *a, *b;

	if (at < 0 || at + 1 >= up->eh_entries ||
	    ext4_child_node(ip->fs, ip->ino, &ext4_recs(up)[at], 0, &a) ||
	    ext4_child_node(ip->fs, ip->ino, &ext4_recs(up)[at + 1], 0, &b))
		return false;
	return a->eh_entries && b->eh_entries && a->eh_entries + b->eh_entries <= EXT4_NODE_MAX;
}

/*
 * ext4_thin - after records left the leaf at @lblk: join it with a neighbour if both are thin.
 * Only a matter of shape: without a block or memory to do it in, nothing happens.
 */
int ext4_thin(struct ext4_inode *ip, uint64_t lblk)
{
	struct ext4_path path;
	struct edit ed = {ip, &path, 0};
	int err = ext4_find(ip, lblk, &path), at;

	if (err || !path.depth)
		return err;
	at = path.level[path.depth - 1].at;
	if (thin(&ed, at))
		err = join_leaves(&ed, at);
	else if (thin(&ed, at - 1))
		err = join_leaves(&ed, at - 1);
	return err == -ENOSPC || err == -ENOMEM ? 0 : err;
}

/*
 * ext4_splice - replace @del records at @at of the node on @level by @n others, atomically.
 * @path comes from ext4_find and is stale afterwards.  @alloc_flags: EXT4_ALLOC_POOL lets a
 * freeing caller use the reserve.  Fences before the commit cover whatever the caller wrote
 * back.  -ENOSPC, -ENOMEM: nothing changed.
 */
int ext4_splice(struct ext4_inode *ip, struct ext4_path *path, uint32_t level, uint32_t at,
		uint32_t del, const struct ext4_extent *recs, uint32_t n, uint32_t alloc_flags)
{
	struct edit ed = {ip, path, alloc_flags};

	return splice(&ed, level, at, del, recs, n);
}
