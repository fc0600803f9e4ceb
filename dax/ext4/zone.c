/* SPDX-License-Identifier: MIT */
/*
 * Zones: the runs of blocks that no file may own.
 *
 * Superblocks, descriptors, bitmaps and inode tables are collected once at mount into a sorted
 * array.  An extent that points into a zone is damage (or an attack) and is refused before
 * anybody follows it; a bitmap that was never written starts as the zones of its group.
 */
#include "dax/ext4/internal.h"

static int check_place(struct ext4_fs *fs, uint32_t g, const char *what, uint64_t at, uint64_t n)
{
	if (at > ext4_gdt_blocks(fs) && at < fs->blocks && n <= fs->blocks - at)
		return 0;
	return ext4_fail(
		fs, -EIO,
		"group %u: %s at block %llu lies outside the device; run `e2fsck -fy IMAGE`",
		(unsigned)g, what, (unsigned long long)at);
}

static int load_group(struct ext4_fs *fs, uint32_t g)
{
	const struct ext4_group_desc *d = ext4_desc(fs, g);
	struct ext4_group *grp = &fs->group[g];
	int err;

	grp->block_bitmap = d->bg_block_bitmap_lo;
	grp->inode_bitmap = d->bg_inode_bitmap_lo;
	grp->inode_table = d->bg_inode_table_lo;
	if (fs->desc_size == 64) {
		grp->block_bitmap |= (uint64_t)d->bg_block_bitmap_hi << 32;
		grp->inode_bitmap |= (uint64_t)d->bg_inode_bitmap_hi << 32;
		grp->inode_table |= (uint64_t)d->bg_inode_table_hi << 32;
	}
	err = check_place(fs, g, "block bitmap", grp->block_bitmap, 1);
	if (!err)
		err = check_place(fs, g, "inode bitmap", grp->inode_bitmap, 1);
	if (!err)
		err = check_place(fs, g, "inode table", grp->inode_table, fs->itable_blocks);
	return err;
}

/*
 * Copy every group's places and check them.  A wrong checksum on a clean device is damage; on a
 * dirty one it is what a cut may leave, and repair renews it.
 */
int ext4_load_groups(struct ext4_fs *fs)
{
	bool clean = fs->sb->s_state & EXT4_VALID_FS;
	int err = 0;

	fs->group = calloc(fs->groups, sizeof(*fs->group));
	if (!fs->group)
		return ext4_fail(fs, -ENOMEM, "no memory for %u groups", (unsigned)fs->groups);
	for (uint32_t g = 0; !err && g < fs->groups; g++) {
		if (fs->gdt_csum && clean && ext4_desc(fs, g)->bg_checksum != ext4_desc_csum(fs, g))
			return ext4_fail(fs, -EIO,
					 "group %u: the descriptor's checksum is %#x, expected "
					 "%#x; run `e2fsck -fy IMAGE`",
					 (unsigned)g, ext4_desc(fs, g)->bg_checksum,
					 ext4_desc_csum(fs, g));
		err = load_group(fs, g);
	}
	return err;
}

/* What a group contributes, in this order. */
enum kind { SUPER, BLOCK_BITMAP, INODE_BITMAP, INODE_TABLE, KINDS };

struct builder {
	struct ext4_fs *fs;
	uint32_t last[KINDS]; /* where the last run of this kind went; no zone yet: anything */
	uint32_t put;	      /* where the last run of any kind went */
};

/* Does the run go on where zone @i ends?  Then it is one with it. */
static bool extends(struct ext4_fs *fs, uint32_t i, uint64_t first, uint64_t count)
{
	if (i >= fs->zones || fs->zone[i].first + fs->zone[i].count != first)
		return false;
	fs->zone[i].count += count;
	return true;
}

/* A table mostly goes on where the group's one before it ends, or, with flex_bg, where that of the
 * group before does.  So there are few zones to sort, however many groups there are. */
static void zone_put(struct builder *b, enum kind kind, uint64_t first, uint64_t count)
{
	struct ext4_fs *fs = b->fs;

	if (extends(fs, b->last[kind], first, count)) {
		b->put = b->last[kind];
	} else if (!extends(fs, b->put, first, count)) {
		b->put = fs->zones;
		fs->zone[fs->zones++] = (struct ext4_zone){first, count};
	}
	b->last[kind] = b->put;
}

static int by_first(const void *a, const void *b)
{
	const struct ext4_zone *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Join neighbours; two zones that overlap mean two owners: damage. */
static int merge_zones(struct ext4_fs *fs)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < fs->zones; i++) {
		uint64_t end = fs->zone[n].first + fs->zone[n].count;

		if (fs->zone[i].first < end)
			return ext4_fail(
				fs, -EIO,
				"descriptors: block %llu holds two tables; run `e2fsck -fy IMAGE`",
				(unsigned long long)fs->zone[i].first);
		if (fs->zone[i].first == end)
			fs->zone[n].count += fs->zone[i].count;
		else
			fs->zone[++n] = fs->zone[i];
	}
	fs->zones = n + 1;
	return 0;
}

int ext4_build_zones(struct ext4_fs *fs)
{
	uint64_t head = 1 + ext4_gdt_blocks(fs) + fs->sb->s_reserved_gdt_blocks;
	struct builder b = {.fs = fs};

	fs->zone = calloc(4 * (size_t)fs->groups, sizeof(*fs->zone));
	if (!fs->zone)
		return ext4_fail(fs, -ENOMEM, "no memory for %u groups", (unsigned)fs->groups);
	for (uint32_t g = 0; g < fs->groups; g++) {
		uint64_t n = ext4_group_blocks(fs, g);

		if (ext4_group_has_super(fs, g))
			zone_put(&b, SUPER, (uint64_t)g * fs->blocks_per_group,
				 head < n ? head : n);
		zone_put(&b, BLOCK_BITMAP, fs->group[g].block_bitmap, 1);
		zone_put(&b, INODE_BITMAP, fs->group[g].inode_bitmap, 1);
		zone_put(&b, INODE_TABLE, fs->group[g].inode_table, fs->itable_blocks);
	}
	qsort(fs->zone, fs->zones, sizeof(*fs->zone), by_first);
	return merge_zones(fs);
}

uint32_t ext4_zone_behind(const struct ext4_fs *fs, uint64_t pblk)
{
	uint32_t lo = 0, hi = fs->zones;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (fs->zone[mid].first + fs->zone[mid].count <= pblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool ext4_forbidden_at(struct ext4_fs *fs, uint64_t pblk, uint64_t count)
{
	uint32_t i = __atomic_load_n(&fs->gap, __ATOMIC_RELAXED) + 1;

	if (pblk == 0 || pblk >= fs->blocks || count > fs->blocks - pblk)
		return true;
	/* The records of a file are looked at in order: the next gap is a good guess. */
	if (i > fs->zones || !ext4_in_gap(fs, i, pblk, count))
		i = ext4_zone_behind(fs, pblk);
	if (i < fs->zones && fs->zone[i].first < pblk + count)
		return true;
	__atomic_store_n(&fs->gap, i, __ATOMIC_RELAXED);
	return false;
}
