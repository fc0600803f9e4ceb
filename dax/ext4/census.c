/* SPDX-License-Identifier: MIT */
/*
 * The census: who owns which block, counted from the files, not believed from the bitmaps.
 *
 * ext4_for_each_extent visits everything that owns blocks; a struct ext4_census collects it in
 * one bit per block and notices a second owner.  Groups nobody owns anything in cost no memory.
 * Attribute blocks may have several owners, but only as attribute blocks: references to them are
 * kept aside until everything else is counted.
 * ext4_check compares the census with the bitmaps; repair writes the bitmaps from it.
 */
#include "dax/ext4/internal.h"

int ext4_census_init(struct ext4_census *c, struct ext4_fs *fs)
{
	*c = (struct ext4_census){.fs = fs};
	c->map = calloc(fs->groups, sizeof(*c->map));
	return c->map ? 0
		      : ext4_fail(fs, -ENOMEM, "no memory to scan %u groups", (unsigned)fs->groups);
}

void ext4_census_free(struct ext4_census *c)
{
	for (uint32_t g = 0; c->map && g < c->fs->groups; g++)
		free(c->map[g]);
	free(c->map);
	free(c->attr);
	*c = (struct ext4_census){0};
}

/* The map of group @g, made of its metadata at first; NULL without memory. */
uint8_t *ext4_census_group(struct ext4_census *c, uint32_t g)
{
	if (!c->map[g]) {
		c->map[g] = malloc(EXT4_BLOCK_SIZE);
		if (c->map[g])
			ext4_base_bitmap(c->fs, g, c->map[g]);
	}
	return c->map[g];
}

int ext4_census_add(struct ext4_census *c, uint64_t pblk, uint64_t count, uint64_t *twice)
{
	*twice = 0;
	for (; count; pblk++, count--) {
		uint8_t *map = ext4_census_group(c, (uint32_t)(pblk / c->fs->blocks_per_group));
		uint32_t bit = (uint32_t)(pblk % c->fs->blocks_per_group);

		if (!map)
			return ext4_fail(c->fs, -ENOMEM, "no memory to scan the device");
		if (bit_test(map, bit) && !*twice)
			*twice = pblk;
		bit_set(map, bit);
	}
	return 0;
}

int ext4_census_attr(struct ext4_census *c, uint64_t pblk, uint32_t ino)
{
	if (c->attrs == c->attr_room) {
		uint32_t room = c->attr_room ? 2 * c->attr_room : 64;
		struct ext4_attr_ref *attr = realloc(c->attr, room * sizeof(*attr));

		if (!attr)
			return ext4_fail(c->fs, -ENOMEM, "no memory to scan the device");
		c->attr = attr;
		c->attr_room = room;
	}
	c->attr[c->attrs++] = (struct ext4_attr_ref){pblk, ino};
	return 0;
}

static int by_pblk(const void *a, const void *b)
{
	const struct ext4_attr_ref *x = a, *y = b;

	return x->pblk < y->pblk ? -1 : x->pblk > y->pblk;
}

int ext4_census_attrs(struct ext4_census *c, bool add,
		      int (*cb)(void *ctx, const struct ext4_attr_block *b), void *ctx)
{
	int err = 0;

	if (c->attrs)
		qsort(c->attr, c->attrs, sizeof(*c->attr), by_pblk);
	for (uint32_t i = 0; !err && i < c->attrs;) {
		struct ext4_attr_block b = {.pblk = c->attr[i].pblk, .ino = c->attr[i].ino};
		uint64_t twice = 0;

		for (; i < c->attrs && c->attr[i].pblk == b.pblk; i++)
			b.holders++;
		if (add)
			err = ext4_census_add(c, b.pblk, 1, &twice);
		b.twice = twice;
		if (!err)
			err = cb(ctx, &b);
	}
	return err;
}

struct ext4_xattr_header *ext4_attr_header(struct ext4_fs *fs, uint64_t pblk)
{
	struct ext4_xattr_header *h;

	if (ext4_forbidden(fs, pblk, 1))
		return NULL;
	h = ext4_block(fs, pblk);
	return h->h_magic == EXT4_XATTR_MAGIC && h->h_blocks == 1 && h->h_refcount ? h : NULL;
}

/* All blocks of one inode.  Anything but extents in a file that has blocks is damage to us. */
int ext4_for_each_of(struct ext4_fs *fs, uint32_t ino, ext4_extent_cb cb, void *ctx)
{
	const struct ext4_disk_inode *raw = ext4_raw(fs, ino);
	uint32_t type = raw->i_mode & EXT4_S_IFMT;
	struct ext4_extent_info info = {.ino = ino, .kind = EXT4_OWN_XATTR, .count = 1};
	int err = 0;

	info.pblk = ext4_raw_xattr(raw);
	if (info.pblk) {
		if (ext4_forbidden(fs, info.pblk, 1))
			return ext4_fail(
				fs, -EIO,
				"inode %u: attributes at block %llu; run `e2fsck -fy IMAGE`",
				(unsigned)ino, (unsigned long long)info.pblk);
		err = cb(ctx, &info);
	}
	if (err)
		return err;
	if (ext4_has_tree(raw))
		return ext4_tree_walk(fs, ino, cb, ctx);
	if (type == EXT4_S_IFREG || type == EXT4_S_IFDIR ||
	    (type == EXT4_S_IFLNK && raw->i_size_lo >= sizeof(raw->i_block)))
		return ext4_fail(fs, -EIO,
				 "inode %u is mapped by indirect blocks; run `e2fsck -fy IMAGE`",
				 (unsigned)ino);
	return 0;
}

/* How many inodes of group @g may be in use, counted from the table's start. */
uint32_t ext4_itable_used(const struct ext4_fs *fs, uint32_t g)
{
	return fs->inodes_per_group - ext4_desc_counts(fs, g).itable_unused;
}

int ext4_for_each_extent(struct ext4_fs *fs, ext4_extent_cb cb, void *ctx)
{
	int err = ext4_for_each_reserved(fs, cb, ctx);

	for (uint32_t g = 0; !err && g < fs->groups; g++) {
		const uint8_t *map = ext4_block(fs, fs->group[g].inode_bitmap);
		uint32_t used = ext4_itable_used(fs, g);

		for (uint32_t i = 0; !err && i < used; i++) {
			uint32_t ino = g * fs->inodes_per_group + i + 1;

			if (!bit_test(map, i) || !ext4_raw(fs, ino)->i_mode)
				continue;
			if (ino != EXT4_ROOT_INO && ino < fs->first_ino)
				continue;
			err = ext4_for_each_of(fs, ino, cb, ctx);
		}
	}
	return err;
}

struct search {
	uint64_t pblk;
	struct ext4_extent_info *owner;
};

static int is_it(void *ctx, const struct ext4_extent_info *e)
{
	struct search *s = ctx;

	if (s->pblk < e->pblk || s->pblk - e->pblk >= e->count)
		return 0;
	*s->owner = *e;
	return 1;
}

int ext4_block_owner(struct ext4_fs *fs, uint64_t pblk, struct ext4_extent_info *owner)
{
	struct search s = {pblk, owner};
	int found = ext4_for_each_extent(fs, is_it, &s);

	if (found < 0)
		return found;
	if (!found)
		return ext4_fail(fs, -ENOENT, "block %llu has no owner", (unsigned long long)pblk);
	return 0;
}
