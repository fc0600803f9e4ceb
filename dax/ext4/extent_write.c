/* SPDX-License-Identifier: MIT */
/*
 * What a file does to its extents: gain blocks, turn unwritten ones into written ones.
 *
 * Both compute the few records that describe the new state, joined with their neighbours where
 * lblk, pblk and kind continue, and leave the change to ext4_splice.  The blocks' contents have
 * been written back by the caller; every shape of splice fences before its commit, so contents
 * are durable before the file reaches them.
 */
#include "dax/ext4/internal.h"

bool ext4_joins(const struct ext4_extent *a, const struct ext4_extent *b)
{
	uint32_t la = ext4_len(a), max = EXT4_EXT_MAX_LEN - ext4_unwritten(a);

	return ext4_unwritten(a) == ext4_unwritten(b) && a->ee_block + la == b->ee_block &&
	       ext4_start(a) + la == ext4_start(b) && la + ext4_len(b) <= max;
}

static struct ext4_extent join(const struct ext4_extent *a, const struct ext4_extent *b)
{
	return ext4_make_extent(a->ee_block, ext4_start(a), ext4_len(a) + ext4_len(b),
				ext4_unwritten(a));
}

/* Records [at, at + del) of a leaf are to become @recs[0 .. n). */
struct change {
	uint32_t at, del, n;
	struct ext4_extent recs[3];
};

/* Widen the change by the neighbours that its first and last record continue. */
static void join_neighbours(struct ext4_extent_header *leaf, struct change *c)
{
	const struct ext4_extent *rec = ext4_recs(leaf);

	if (c->at > 0 && ext4_joins(&rec[c->at - 1], &c->recs[0])) {
		c->recs[0] = join(&rec[c->at - 1], &c->recs[0]);
		c->at--;
		c->del++;
	}
	if (c->at + c->del < leaf->eh_entries &&
	    ext4_joins(&c->recs[c->n - 1], &rec[c->at + c->del])) {
		c->recs[c->n - 1] = join(&c->recs[c->n - 1], &rec[c->at + c->del]);
		c->del++;
	}
}

static int apply(struct ext4_inode *ip, struct ext4_path *path, struct change *c)
{
	uint32_t lblk = c->recs[0].ee_block;
	int err;

	join_neighbours(path->level[path->depth].node, c);
	err = ext4_splice(ip, path, path->depth, c->at, c->del, c->recs, c->n, 0);
	if (err || c->n >= c->del)
		return err;
	/* Fewer records than before: the tree may be flatter now. */
	err = ext4_thin(ip, lblk);
	return err ? err : ext4_collapse(ip);
}

/*
 * Give the file the blocks [pblk, pblk + len) at @lblk, a range that is a hole.  Durable on
 * return.  -ENOSPC (no block for the tree), -EIO: nothing changed.
 */
int ext4_insert(struct ext4_inode *ip, uint32_t lblk, uint64_t pblk, uint32_t len, bool unwritten)
{
	struct ext4_path path;
	struct change c = {.n = 1};
	int err = ext4_find(ip, lblk, &path);

	if (err)
		return err;
	c.at = (uint32_t)(path.level[path.depth].at + 1);
	c.recs[0] = ext4_make_extent(lblk, pblk, len, unwritten);
	err = apply(ip, &path, &c);
	if (!err)
		ext4_add_blocks(ip, len);
	return err;
}

/* [lblk, lblk + len) lies within one extent and changes its kind, which may part it in three. */
static int mark(struct ext4_inode *ip, uint32_t lblk, uint32_t len, bool unwritten)
{
	struct ext4_path path;
	struct change c = {.del = 1};
	struct ext4_extent e;
	uint32_t head, tail;
	int err = ext4_find(ip, lblk, &path);

	if (err)
		return err;
	c.at = (uint32_t)path.level[path.depth].at;
	e = ext4_recs(path.level[path.depth].node)[c.at];
	head = lblk - e.ee_block;
	tail = ext4_len(&e) - head - len;
	if (head)
		c.recs[c.n++] = ext4_make_extent(e.ee_block, ext4_start(&e), head, !unwritten);
	c.recs[c.n++] = ext4_make_extent(lblk, ext4_start(&e) + head, len, unwritten);
	if (tail)
		c.recs[c.n++] =
			ext4_make_extent(lblk + len, ext4_start(&e) + head + len, tail, !unwritten);
	return apply(ip, &path, &c);
}

/*
 * [lblk, lblk + len) lies within one unwritten extent and its blocks have contents now: make
 * it written, splitting the extent into up to three.  Durable on return.
 */
int ext4_mark_written(struct ext4_inode *ip, uint32_t lblk, uint32_t len)
{
	return mark(ip, lblk, len, false);
}

/*
 * [lblk, lblk + len) lies within one written extent and is to read as zeroes: make it unwritten.
 * At most EXT4_EXT_MAX_LEN - 1 blocks, all that one such record holds.  Durable on return.
 */
int ext4_mark_unwritten(struct ext4_inode *ip, uint32_t lblk, uint32_t len)
{
	return mark(ip, lblk, len, true);
}

/* Where block @lblk would best lie: behind the blocks before it.  Zero: no opinion. */
uint64_t ext4_goal(struct ext4_inode *ip, uint64_t lblk)
{
	struct ext4_path path;
	const struct ext4_level *leaf = &path.level[0];
	const struct ext4_extent *e;
	uint64_t goal;

	if (ext4_find(ip, lblk, &path))
		return 0;
	leaf = &path.level[path.depth];
	if (leaf->at < 0)
		return 0;
	e = &ext4_recs(leaf->node)[leaf->at];
	goal = ext4_start(e) + (lblk - e->ee_block);
	return goal < ip->fs->blocks ? goal : 0;
}
