/* SPDX-License-Identifier: MIT */
/*
 * ext4_check: does the device agree with itself?
 *
 * Counts the owners of every block from the files (census.c), then compares with the bitmaps and
 * counters.  Changes nothing.
 */
#include "dax/ext4/internal.h"

struct check {
	struct ext4_fs *fs;
	struct ext4_census census;
	void (*say)(void *ctx, const char *line);
	void *ctx;
	int found;
};

static void finding(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void finding(struct check *c, const char *fmt, ...)
{
	char line[200];
	va_list ap;

	c->found++;
	if (!c->say)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	c->say(c->ctx, line);
}

static void two_owners(struct check *c, uint64_t pblk, uint32_t ino)
{
	struct ext4_extent_info other;

	if (!ext4_block_owner(c->fs, pblk, &other))
		finding(c, "I7: block %llu has two owners: inode %u and inode %u",
			(unsigned long long)pblk, (unsigned)other.ino, (unsigned)ino);
}

static int count_in(void *ctx, const struct ext4_extent_info *e)
{
	struct check *c = ctx;
	uint64_t twice;
	int err;

	if (e->kind == EXT4_OWN_XATTR)
		return ext4_census_attr(&c->census, e->pblk, e->ino);
	if (!e->ino)
		return 0; /* zones are the base of every map */
	err = ext4_census_add(&c->census, e->pblk, e->count, &twice);
	if (!err && twice)
		two_owners(c, twice, e->ino);
	return err;
}

static int count_attr(void *ctx, const struct ext4_attr_block *b)
{
	const struct ext4_xattr_header *h;
	struct check *c = ctx;

	h = ext4_attr_header(c->fs, b->pblk);
	if (b->twice)
		two_owners(c, b->pblk, b->ino);
	else if (!h)
		finding(c, "inode %u: block %llu is no attribute block", (unsigned)b->ino,
			(unsigned long long)b->pblk);
	else if (h->h_refcount != b->holders)
		finding(c, "attribute block %llu counts %u holders, %u are",
			(unsigned long long)b->pblk, (unsigned)h->h_refcount, (unsigned)b->holders);
	return 0;
}

/* Name each run of blocks on which the group's bitmap and the census differ. */
static void compare_blocks(struct check *c, uint32_t g, const uint8_t *expect)
{
	const uint8_t *map = ext4_block(c->fs, c->fs->group[g].block_bitmap);
	uint32_t n = ext4_group_blocks(c->fs, g), free = 0;
	uint64_t first = (uint64_t)g * c->fs->blocks_per_group;

	for (uint32_t b = 0; b < n; b++) {
		uint32_t from = b;
		bool owned = bit_test(expect, b);

		free += !owned;
		if (owned == bit_test(map, b))
			continue;
		while (b + 1 < n && bit_test(expect, b + 1) == owned &&
		       bit_test(map, b + 1) != owned) {
			b++;
			free += !owned;
		}
		finding(c,
			owned ? "I7: blocks %llu+%u belong to a file, the bitmap calls them free"
			      : "blocks %llu+%u belong to nobody, the bitmap calls them used",
			(unsigned long long)first + from, (unsigned)(b - from + 1));
	}
	if (free != ext4_desc_counts(c->fs, g).free_blocks)
		finding(c, "group %u counts %u free blocks, %u are", (unsigned)g,
			(unsigned)ext4_desc_counts(c->fs, g).free_blocks, (unsigned)free);
}

static void compare_inodes(struct check *c, uint32_t g)
{
	const uint8_t *map = ext4_block(c->fs, c->fs->group[g].inode_bitmap);
	uint32_t used = ext4_itable_used(c->fs, g);

	for (uint32_t i = 0; i < used; i++) {
		uint32_t ino = g * c->fs->inodes_per_group + i + 1;

		if (ext4_raw(c->fs, ino)->i_links_count && !bit_test(map, i))
			finding(c, "inode %u has links, the bitmap calls it free", (unsigned)ino);
	}
}

static int compare(struct check *c)
{
	for (uint32_t g = 0; g < c->fs->groups; g++) {
		uint32_t flags = ext4_desc_counts(c->fs, g).flags;
		uint8_t *expect;

		if (!(flags & BG_INODE_UNINIT))
			compare_inodes(c, g);
		if ((flags & BG_BLOCK_UNINIT) && !c->census.map[g])
			continue;
		if (flags & BG_BLOCK_UNINIT) {
			finding(c, "group %u has files, its bitmap was never written", (unsigned)g);
			continue;
		}
		expect = ext4_census_group(&c->census, g);
		if (!expect)
			return ext4_fail(c->fs, -ENOMEM, "no memory to check the device");
		compare_blocks(c, g, expect);
	}
	return 0;
}

int ext4_check(struct ext4_fs *fs, void (*say)(void *ctx, const char *line), void *ctx)
{
	struct check c = {.fs = fs, .say = say, .ctx = ctx};
	int err = ext4_census_init(&c.census, fs);

	if (!err)
		err = ext4_for_each_extent(fs, count_in, &c);
	if (!err)
		err = ext4_census_attrs(&c.census, true, count_attr, &c);
	if (!err)
		err = compare(&c);
	ext4_census_free(&c.census);
	return err ? err : c.found;
}
