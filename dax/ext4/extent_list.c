/* SPDX-License-Identifier: MIT */
/*
 * All extents of a file as one list, and a whole new tree from a list.
 *
 * ext4_splice changes a few neighbouring records in one step. An operation that moves every extent
 * behind a point has no such step; it reads the old tree into a list, writes the new state as
 * another list, builds a tree of that in blocks nobody reaches, and then needs one step only: the
 * root in the inode. Until then the old tree is untouched, afterwards its nodes are given back.
 * Nodes are filled to the brim from the left, the shape e2fsck has no advice for.
 */
#include "dax/ext4/internal.h"

/* Makes room for one more element behind the n-th; false: no memory. */
static bool room_for_one(void **array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t want = *room ? *room * 2 : 16;
	void *more;

	if (n < *room)
		return true;
	more = realloc(*array, want * size);
	if (!more)
		return false;
	*array = more;
	*room = want;
	return true;
}

static int no_memory(struct ext4_fs *fs)
{
	return ext4_fail(fs, -ENOMEM, "no memory for a list of the file's extents");
}

static int add_node(struct ext4_list *list, uint64_t pblk)
{
	void *node = list->node;

	if (!room_for_one(&node, list->nodes, &list->node_room, sizeof(*list->node)))
		return no_memory(list->fs);
	list->node = node;
	list->node[list->nodes++] = pblk;
	return 0;
}

static int add_extent(struct ext4_list *list, const struct ext4_extent *e)
{
	struct ext4_extent *last = list->n ? &list->rec[list->n - 1] : NULL;
	void *rec = list->rec;

	list->blocks += ext4_len(e);
	if (last && ext4_joins(last, e)) {
		*last = ext4_make_extent(last->ee_block, ext4_start(last),
					 ext4_len(last) + ext4_len(e), ext4_unwritten(e));
		return 0;
	}
	if (!room_for_one(&rec, list->n, &list->room, sizeof(*list->rec)))
		return no_memory(list->fs);
	list->rec = rec;
	list->rec[list->n++] = *e;
	return 0;
}

int ext4_list_add(struct ext4_list *list, const struct ext4_extent *e, uint64_t first, uint64_t end,
		  uint64_t at)
{
	uint64_t from = e->ee_block, to = from + ext4_len(e);
	struct ext4_extent part;

	from = from > first ? from : first;
	to = to < end ? to : end;
	if (from >= to)
		return 0;
	part = ext4_make_extent((uint32_t)(at + (from - first)),
				ext4_start(e) + (from - e->ee_block), (uint32_t)(to - from),
				ext4_unwritten(e));
	return add_extent(list, &part);
}

static int collect(void *ctx, const struct ext4_extent_info *e)
{
	struct ext4_list *list = ctx;
	struct ext4_extent rec;

	if (e->kind == EXT4_OWN_TREE)
		return add_node(list, e->pblk);
	rec = ext4_make_extent((uint32_t)e->lblk, e->pblk, e->count, e->kind == EXT4_OWN_UNWRITTEN);
	return add_extent(list, &rec);
}

int ext4_list_read(struct ext4_inode *ip, struct ext4_list *list)
{
	*list = (struct ext4_list){.fs = ip->fs};
	if (!ext4_has_tree(ip->raw))
		return ext4_fail(ip->fs, -EINVAL, "inode %u keeps no data in blocks",
				 (unsigned)ip->ino);
	return ext4_tree_walk(ip->fs, ip->ino, collect, list);
}

/* A node of @n records, written back; the index record that names it in *link. */
static int build_node(struct ext4_list *list, uint64_t goal, uint32_t flags, uint32_t depth,
		      const struct ext4_extent *recs, uint32_t n, struct ext4_extent *link)
{
	struct ext4_extent_header *node;
	uint64_t pblk;
	uint32_t got;
	int err = ext4_balloc(list->fs, goal, 1, flags, &pblk, &got);

	if (err)
		return err;
	err = add_node(list, pblk);
	if (err) {
		ext4_bfree(list->fs, pblk, 1);
		return err;
	}
	node = ext4_block(list->fs, pblk);
	memset(node, 0, EXT4_BLOCK_SIZE);
	*node = (struct ext4_extent_header){.eh_magic = EXT4_EXT_MAGIC,
					    .eh_entries = (uint16_t)n,
					    .eh_max = EXT4_NODE_MAX,
					    .eh_depth = (uint16_t)depth};
	memcpy(ext4_recs(node), recs, n * sizeof(*recs));
	pm_wb(list->fs, node, EXT4_BLOCK_SIZE);
	*link = ext4_make_index(recs[0].ee_block, pblk);
	return 0;
}

/* One level of nodes over *recs, which becomes the records of the level above. */
static int build_level(struct ext4_list *list, uint64_t goal, uint32_t flags, uint32_t depth,
		       struct ext4_extent **recs, uint32_t *n)
{
	uint32_t nodes = (*n + EXT4_NODE_MAX - 1) / EXT4_NODE_MAX;
	struct ext4_extent *up = malloc(nodes * sizeof(*up));
	int err = up ? 0 : no_memory(list->fs);

	for (uint32_t i = 0; !err && i < nodes; i++) {
		uint32_t at = i * EXT4_NODE_MAX;
		uint32_t count = *n - at < EXT4_NODE_MAX ? *n - at : EXT4_NODE_MAX;

		err = build_node(list, goal, flags, depth, *recs + at, count, &up[i]);
	}
	if (depth) /* level 0 is the list's own */
		free(*recs);
	*recs = up;
	*n = nodes;
	return err;
}

int ext4_list_build(struct ext4_list *list, uint64_t goal, uint32_t alloc_flags,
		    struct ext4_disk_inode *image)
{
	struct ext4_extent_header *root = ext4_root(image);
	struct ext4_extent *recs = list->rec;
	uint32_t depth = 0, n = list->n;
	int err = 0;

	for (; !err && n > EXT4_ROOT_MAX; depth++)
		err = build_level(list, goal, alloc_flags, depth, &recs, &n);
	if (!err) {
		root->eh_entries = (uint16_t)n;
		root->eh_max = EXT4_ROOT_MAX;
		root->eh_depth = (uint16_t)depth;
		memset(ext4_recs(root), 0, EXT4_ROOT_MAX * sizeof(*recs));
		if (n)
			memcpy(ext4_recs(root), recs, n * sizeof(*recs));
	}
	if (depth)
		free(recs);
	if (err)
		ext4_list_drop_nodes(list);
	return err;
}

void ext4_list_drop_nodes(struct ext4_list *list)
{
	while (list->nodes)
		ext4_bfree(list->fs, list->node[--list->nodes], 1);
}

void ext4_list_free(struct ext4_list *list)
{
	free(list->rec);
	free(list->node);
	*list = (struct ext4_list){0};
}
