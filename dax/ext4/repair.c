/* SPDX-License-Identifier: MIT */
/*
 * Repair: a device that was cut off is made consistent.
 *
 * The ordering of every update guarantees that files and names on the device are right; what
 * can be wrong is everything that can be counted again.  So repair believes the tree of names
 * and the extents, and nothing else.  The survey changes nothing:
 *
 *   1. walk the names from the root (repair_dir.c): every inode they reach is checked, its blocks
 *      are counted in, its links noted;
 *   2. look at the inodes that have no name (repair_lost.c): dead ones were being made or removed,
 *      any other is lost and keeps its blocks.
 *
 * Damage that no cut can cause (two owners, broken nodes) is not guessed at: the mount is refused
 * and e2fsck named.  Then follows the mending:
 *
 *   3. dead inodes lose their links;
 *   4. bitmaps, counters and flags are written from the census (repair_maps.c);
 *   5. lost inodes get names in lost+found;
 *   6. the names are walked again: index keys, blocks behind the end, "..", names of nothing;
 *   7. link counts are written.
 *
 * 3 before 4, else a cut shows a free inode that has links; 4 before 5 and 6, which may take
 * blocks: the allocator must not hand out what a file owns because a bitmap is wrong.  Each
 * correction is one sentence through env.report.  A cut during repair is met by the next one.
 */
#include "dax/ext4/internal.h"

void repair_loss(struct repair *r, const char *fmt, ...)
{
	va_list ap;

	if (r->losses++ || r->mending)
		return;
	va_start(ap, fmt);
	vsnprintf(r->loss, sizeof(r->loss), fmt, ap);
	va_end(ap);
}

static int two_owners(struct repair *r, uint64_t pblk, uint32_t ino)
{
	return ext4_fail(r->fs, -EIO,
			 "block %llu belongs to inode %u and to another one; no power cut does "
			 "that, run `e2fsck -fy IMAGE`",
			 (unsigned long long)pblk, (unsigned)ino);
}

/* The survey's count: into the census. */
static int count_in(void *ctx, const struct ext4_extent_info *e)
{
	struct repair *r = ctx;
	uint64_t twice;
	int err;

	if (e->kind == EXT4_OWN_XATTR)
		return ext4_census_attr(&r->census, e->pblk, e->ino);
	if (!e->ino)
		return 0; /* zones are the base of every map */
	err = ext4_census_add(&r->census, e->pblk, e->count, &twice);
	return err || !twice ? err : two_owners(r, twice, e->ino);
}

/* The mending's count: how many blocks an inode owns. */
static int count_blocks(void *ctx, const struct ext4_extent_info *e)
{
	struct repair *r = ctx;

	r->blocks += e->count;
	return 0;
}

static int check_attr(void *ctx, const struct ext4_attr_block *b)
{
	const struct ext4_xattr_header *h;
	struct repair *r = ctx;

	if (b->twice)
		return two_owners(r, b->pblk, b->ino);
	h = ext4_attr_header(r->fs, b->pblk);
	if (h && h->h_refcount >= b->holders)
		return 0;
	return ext4_fail(r->fs, -EIO,
			 "inode %u: block %llu is no attribute block with %u holders; run `e2fsck "
			 "-fy IMAGE`",
			 (unsigned)b->ino, (unsigned long long)b->pblk, (unsigned)b->holders);
}

/* A cut between a file's end and its attribute block's leaves a holder too many. */
static int mend_attr(void *ctx, const struct ext4_attr_block *b)
{
	struct repair *r = ctx;
	struct ext4_xattr_header *h = ext4_attr_header(r->fs, b->pblk);

	if (!h || h->h_refcount == b->holders)
		return 0;
	ext4_say(r->fs, "attribute block %llu: has %u holders, not %u", (unsigned long long)b->pblk,
		 (unsigned)b->holders, (unsigned)h->h_refcount);
	pm_set32(r->fs, &h->h_refcount, b->holders);
	return 0;
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
	err = ext4_drop_blocks(ip, b->first, EXT4_TO_END);
	ext4_iput(ip);
	return err;
}

/* The extents of an inode: the survey notes blocks behind the end, the mending drops them. */
static int do_tree(struct repair *r, uint32_t ino)
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
	if (found && !r->mending)
		repair_loss(r, "inode %u has blocks behind its end", (unsigned)ino);
	if (!r->mending)
		return 0;
	if (ext4_tree_fix_keys(r->fs, ino))
		ext4_say(r->fs, "inode %u: corrected keys of its extent tree", (unsigned)ino);
	pm_fence(r->fs);
	return found ? drop_behind(r, ino, &b) : flatten(r, ino);
}

static void mend_fields(struct repair *r, uint32_t ino, struct ext4_disk_inode *raw)
{
	struct ext4_fs *fs = r->fs;

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
}

/* One inode that has a name: looked at and counted in, or made right by itself. */
int repair_inode(struct repair *r, uint32_t ino)
{
	struct ext4_disk_inode *raw = ext4_raw(r->fs, ino);
	int err = do_tree(r, ino);

	r->blocks = 0;
	if (!err)
		err = ext4_for_each_of(r->fs, ino, r->mending ? count_blocks : count_in, r);
	if (!err && r->mending)
		mend_fields(r, ino, raw);
	else if (!err && raw->i_dtime)
		repair_loss(r, "inode %u has a name and a time of deletion", (unsigned)ino);
	return err;
}

/* The link counter of @ino; NULL without memory. */
uint16_t *repair_links(struct repair *r, uint32_t ino)
{
	uint32_t g = (ino - 1) / r->fs->inodes_per_group;

	if (!r->links[g])
		r->links[g] = calloc(r->fs->inodes_per_group, sizeof(uint16_t));
	return r->links[g] ? &r->links[g][(ino - 1) % r->fs->inodes_per_group] : NULL;
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

/* Step 7. */
static void mend_links(struct repair *r)
{
	struct ext4_fs *fs = r->fs;

	for (uint32_t g = 0; g < fs->groups; g++)
		for (uint32_t i = 0; r->links[g] && i < fs->inodes_per_group; i++)
			if (r->links[g][i])
				set_links(r, g * fs->inodes_per_group + i + 1, r->links[g][i]);
}

void repair_end(struct repair *r)
{
	for (uint32_t g = 0; r && g < r->fs->groups; g++) {
		if (r->links)
			free(r->links[g]);
		if (r->flags)
			free(r->flags[g]);
	}
	if (!r)
		return;
	free(r->links);
	free(r->flags);
	free(r->dirs);
	free(r->queue);
	free(r->lost);
	ext4_census_free(&r->census);
	free(r);
}

static struct repair *begin_repair(struct ext4_fs *fs, bool ours)
{
	struct repair *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->fs = fs;
	r->ours = ours;
	r->links = calloc(fs->groups, sizeof(*r->links));
	r->flags = calloc(fs->groups, sizeof(*r->flags));
	r->dirs = calloc(fs->groups, sizeof(*r->dirs));
	if (!ext4_census_init(&r->census, fs) && r->links && r->flags && r->dirs)
		return r;
	repair_end(r);
	return NULL;
}

static int refuse_losses(struct repair *r)
{
	return ext4_fail(r->fs, -EIO,
			 "%s: another system wrote the device last, and this repair would lose "
			 "what fsck keeps; run `e2fsck -fy IMAGE`",
			 r->loss);
}

int repair_survey(struct ext4_fs *fs, bool ours, struct repair **out)
{
	struct repair *r = begin_repair(fs, ours);
	int err;

	*out = r;
	if (!r)
		return ext4_fail(fs, -ENOMEM, "no memory to repair %u groups",
				 (unsigned)fs->groups);
	err = ext4_for_each_reserved(fs, count_in, r);
	if (!err)
		err = repair_names(r);
	if (!err)
		err = repair_find_lost(r);
	if (!err)
		err = ext4_census_attrs(&r->census, true, check_attr, r);
	return err || ours || !r->losses ? err : refuse_losses(r);
}

static void forget_names(struct repair *r)
{
	for (uint32_t g = 0; g < r->fs->groups; g++) {
		if (r->links[g])
			memset(r->links[g], 0, r->fs->inodes_per_group * sizeof(uint16_t));
		r->dirs[g] = 0;
	}
	r->queued = r->read = r->n_dirs = r->n_files = 0;
}

/* Steps 3 to 7. */
static int mend(struct repair *r)
{
	int err = repair_forget_dead(r);

	if (!err)
		err = repair_maps(r);
	/* Bitmaps before what takes blocks and inodes by them. */
	pm_fence(r->fs);
	if (!err)
		err = repair_name_lost(r);
	if (err)
		return err;
	ext4_census_attrs(&r->census, false, mend_attr, r);
	forget_names(r);
	err = repair_names(r);
	if (err)
		return err;
	mend_links(r);
	ext4_say(r->fs, "repaired: %u directories, %u files", (unsigned)r->n_dirs,
		 (unsigned)r->n_files);
	return 0;
}

int repair_mend(struct repair *r)
{
	struct ext4_fs *fs = r->fs;
	void (*freeing)(void *, struct ext4_inode *, const struct ext4_run *, uint32_t) =
		fs->env.freeing;
	int err;

	fs->env.freeing = NULL; /* nobody has mapped anything yet */
	r->mending = true;
	err = mend(r);
	fs->env.freeing = freeing;
	pm_fence(fs);
	return err;
}
