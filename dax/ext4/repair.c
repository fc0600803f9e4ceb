/* SPDX-License-Identifier: MIT */
/*
 * Repair: what a mount does with a device that was cut off.
 *
 * The ordering of every update guarantees that files and names on the device are right; what
 * can be wrong is everything that can be counted again.  So repair believes the tree of names
 * and the extents, and nothing else:
 *
 *   1. walk the names from the root (repair_dir.c); for every inode they reach: mend index keys,
 *      drop blocks behind the end, count its blocks in, note its links;
 *   2. free the inodes that have no name (they were being made, or removed);
 *   3. write link counts, bitmaps, counters and flags from the census (repair_maps.c).
 *
 * Each correction is one sentence through env.report.  A cut during repair is met by the next
 * repair: nothing here depends on what it overwrites.  Damage that no cut can cause (two owners,
 * broken nodes) is not guessed at: the mount is refused and e2fsck named.
 */
#include "dax/ext4/repair.h"

static int count_in(void *ctx, const struct ext4_extent_info *e)
{
	struct repair *r = ctx;
	uint64_t twice;
	int err = ext4_census_add(&r->census, e->pblk, e->count, &twice);

	r->blocks += e->count;
	if (err || !twice || e->kind == EXT4_OWN_XATTR)
		return err;
	return ext4_fail(r->fs, -EIO,
			 "block %llu belongs to inode %u and to another one; no power cut does "
			 "that, run e2fsck -f",
			 (unsigned long long)twice, (unsigned)e->ino);
}

static int count_reserved(void *ctx, const struct ext4_extent_info *e)
{
	struct repair *r = ctx;
	uint64_t twice;

	if (ext4_forbidden(r->fs, e->pblk, 1))
		return 0; /* zones are the base of every map */
	return ext4_census_add(&r->census, e->pblk, e->count, &twice);
}

/* Where do written blocks begin that lie behind the end of the file? */
struct behind {
	uint64_t end, first;
};

static int find_behind(void *ctx, const struct ext4_extent_info *e)
{
	struct behind *b = ctx;
	uint64_t last = e->lblk + e->count;

	if (e->kind != EXT4_OWN_DATA || last <= b->end)
		return 0;
	b->first = e->lblk > b->end ? e->lblk : b->end;
	return 1;
}

/* A cut may have come before the last step of a removal: the tree gets flat again. */
static int flatten(struct repair *r, uint32_t ino)
{
	struct ext4_inode *ip;
	int err;

	if (!ext4_root(ext4_raw(r->fs, ino))->eh_depth)
		return 0;
	err = ext4_iget(r->fs, ino, &ip);
	if (err)
		return err;
	err = ext4_collapse(ip);
	ext4_iput(ip);
	return err;
}

/* Blocks were linked, the size that should have covered them did not arrive: give them back. */
static int drop_behind(struct repair *r, uint32_t ino, const struct behind *b)
{
	struct ext4_inode *ip;
	int err = ext4_iget(r->fs, ino, &ip);

	if (err)
		return err;
	ext4_say(r->fs, "inode %u: freed blocks from %llu on, behind the end of the file",
		 (unsigned)ino, (unsigned long long)b->first);
	err = ext4_free_blocks(ip, b->first, EXT4_TO_END);
	ext4_iput(ip);
	return err;
}

static int mend_tree(struct repair *r, uint32_t ino)
{
	struct ext4_disk_inode *raw = ext4_raw(r->fs, ino);
	struct behind b = {(ext4_raw_size(raw) + EXT4_BLOCK_SIZE - 1) / EXT4_BLOCK_SIZE, 0};
	uint32_t type = raw->i_mode & EXT4_S_IFMT;
	int found;

	if (!ext4_has_tree(raw) || type == EXT4_S_IFLNK)
		return 0;
	found = ext4_tree_walk(r->fs, ino, find_behind, &b);
	if (found < 0)
		return found;
	if (ext4_tree_fix_keys(r->fs, ino))
		ext4_say(r->fs, "inode %u: corrected keys of its extent tree", (unsigned)ino);
	pm_fence(r->fs);
	return found ? drop_behind(r, ino, &b) : flatten(r, ino);
}

/* Make one inode that has a name right by itself and count its blocks in. */
int repair_inode(struct repair *r, uint32_t ino)
{
	struct ext4_fs *fs = r->fs;
	struct ext4_disk_inode *raw = ext4_raw(fs, ino);
	int err = mend_tree(r, ino);

	r->blocks = 0;
	if (!err)
		err = ext4_for_each_of(fs, ino, count_in, r);
	if (err)
		return err;
	if (ext4_raw_sectors(fs, raw) != r->blocks * 8) {
		ext4_say(fs, "inode %u: owns %llu blocks, not %llu", (unsigned)ino,
			 (unsigned long long)r->blocks,
			 (unsigned long long)ext4_raw_sectors(fs, raw) / 8);
		ext4_put_sectors(fs, raw, r->blocks * 8);
	}
	if (raw->i_dtime) {
		ext4_say(fs, "inode %u: has a name, taken off the orphan list", (unsigned)ino);
		pm_set32(fs, &raw->i_dtime, 0);
	}
	return 0;
}

/* The link counter of @ino; NULL without memory. */
uint16_t *repair_links(struct repair *r, uint32_t ino)
{
	uint32_t g = (ino - 1) / r->fs->inodes_per_group;

	if (!r->links[g])
		r->links[g] = calloc(r->fs->inodes_per_group, sizeof(uint16_t));
	return r->links[g] ? &r->links[g][(ino - 1) % r->fs->inodes_per_group] : NULL;
}

/* An inode without a name: its link count and time of deletion say so from now on. */
static void forget_inode(struct repair *r, uint32_t ino, struct ext4_disk_inode *raw)
{
	ext4_say(r->fs, "inode %u: has no name, freed with its blocks", (unsigned)ino);
	raw->i_dtime = ext4_now(r->fs);
	raw->i_links_count = 0;
	pm_wb(r->fs, raw, sizeof(*raw));
}

static void forget_unnamed(struct repair *r, uint32_t g)
{
	struct ext4_fs *fs = r->fs;
	const uint8_t *map = ext4_block(fs, fs->group[g].inode_bitmap);
	uint32_t used = ext4_itable_used(fs, g);

	for (uint32_t i = 0; i < used; i++) {
		uint32_t ino = g * fs->inodes_per_group + i + 1;
		struct ext4_disk_inode *raw = ext4_raw(fs, ino);

		if (ino < fs->first_ino || (r->links[g] && r->links[g][i]))
			continue;
		if (raw->i_links_count || (raw->i_mode && bit_test(map, i)))
			forget_inode(r, ino, raw);
	}
}

static void set_links(struct repair *r, uint32_t ino, uint32_t links)
{
	struct ext4_disk_inode *raw = ext4_raw(r->fs, ino);
	bool dir = (raw->i_mode & EXT4_S_IFMT) == EXT4_S_IFDIR;

	if (dir && ext4_has(r->fs, RO_DIR_NLINK) && (raw->i_links_count == 1 || links > 65000))
		links = 1;
	if (raw->i_links_count == links)
		return;
	ext4_say(r->fs, "inode %u: has %u links, not %u", (unsigned)ino, (unsigned)links,
		 raw->i_links_count);
	pm_set16(r->fs, &raw->i_links_count, (uint16_t)links);
}

static void settle_inodes(struct repair *r)
{
	struct ext4_fs *fs = r->fs;

	for (uint32_t g = 0; g < fs->groups; g++) {
		forget_unnamed(r, g);
		for (uint32_t i = 0; r->links[g] && i < fs->inodes_per_group; i++)
			if (r->links[g][i])
				set_links(r, g * fs->inodes_per_group + i + 1, r->links[g][i]);
	}
	if (fs->sb->s_last_orphan) {
		ext4_say(fs, "orphan list emptied");
		pm_set32(fs, &fs->sb->s_last_orphan, 0);
	}
	/* Inodes before bitmaps, else a cut here shows a free inode that has links. */
	pm_fence(fs);
}

static void end_repair(struct repair *r)
{
	for (uint32_t g = 0; r->links && g < r->fs->groups; g++)
		free(r->links[g]);
	free(r->links);
	free(r->dirs);
	free(r->queue);
	ext4_census_free(&r->census);
	free(r);
}

static struct repair *begin_repair(struct ext4_fs *fs)
{
	struct repair *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->fs = fs;
	r->links = calloc(fs->groups, sizeof(*r->links));
	r->dirs = calloc(fs->groups, sizeof(*r->dirs));
	if (!ext4_census_init(&r->census, fs) && r->links && r->dirs)
		return r;
	end_repair(r);
	return NULL;
}

/* The three steps in order. */
static int run(struct repair *r)
{
	int err = ext4_for_each_reserved(r->fs, count_reserved, r);

	if (!err)
		err = repair_names(r);
	if (err)
		return err;
	settle_inodes(r);
	err = repair_maps(r);
	if (!err)
		ext4_say(r->fs, "repaired: %u directories, %u files", (unsigned)r->n_dirs,
			 (unsigned)r->n_files);
	return err;
}

/*
 * Scan the device and make it consistent.  The caller has marked it dirty and marks it clean.
 * -EIO: damage no power cut causes; -ENOMEM.
 */
int ext4_repair(struct ext4_fs *fs)
{
	void (*freeing)(void *, struct ext4_inode *, uint64_t, uint32_t) = fs->env.freeing;
	struct repair *r = begin_repair(fs);
	int err;

	if (!r)
		return ext4_fail(fs, -ENOMEM, "no memory to repair %u groups",
				 (unsigned)fs->groups);
	fs->env.freeing = NULL; /* nobody has mapped anything yet */
	err = run(r);
	fs->env.freeing = freeing;
	fs->pool_n = 0; /* was filled from bitmaps that were not right yet */
	pm_fence(fs);
	end_repair(r);
	return err;
}
