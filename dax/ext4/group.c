/* SPDX-License-Identifier: MIT */
/*
 * Block groups: descriptors, their checksum, and groups that were never initialised.
 *
 * A descriptor says where a group keeps its bitmaps and inode table and counts what is free.
 * With gdt_csum ("uninitialised groups") it has a CRC-16 and may say that a bitmap was never
 * written; the first allocation writes it, fences it, and only then clears the flag: bitmap
 * before flag, else a cut leaves a flag that vouches for garbage.  A group that a file gives up as
 * a whole gets the flag back (ext4_group_retire): one line instead of a bitmap's 64. Counters and
 * checksum may be stale after a cut: repair recomputes them.
 */
#include "dax/ext4/internal.h"

struct ext4_group_desc *ext4_desc(const struct ext4_fs *fs, uint32_t g)
{
	return (struct ext4_group_desc *)(fs->gdt + (size_t)g * fs->desc_size);
}

uint32_t ext4_gdt_blocks(const struct ext4_fs *fs)
{
	return (uint32_t)(((uint64_t)fs->groups * fs->desc_size + EXT4_BLOCK_SIZE - 1) /
			  EXT4_BLOCK_SIZE);
}

/* Blocks in group @g: all groups are alike but the last, which ends with the device. */
uint32_t ext4_group_blocks(const struct ext4_fs *fs, uint32_t g)
{
	uint64_t left = fs->blocks - (uint64_t)g * fs->blocks_per_group;

	return left < fs->blocks_per_group ? (uint32_t)left : fs->blocks_per_group;
}

static bool power_of(uint32_t g, uint32_t base)
{
	while (g > 1 && g % base == 0)
		g /= base;
	return g == 1;
}

/* Does group @g begin with a copy of the superblock?  With sparse_super: 0, 1, 3^n, 5^n, 7^n. */
bool ext4_group_has_super(const struct ext4_fs *fs, uint32_t g)
{
	if (g <= 1 || !ext4_has(fs, RO_SPARSE_SUPER))
		return true;
	return power_of(g, 3) || power_of(g, 5) || power_of(g, 7);
}

/* The checksum of a descriptor, its own field left out, from what came before it on. */
static uint16_t csum_of(const struct ext4_fs *fs, uint16_t crc, const struct ext4_group_desc *desc)
{
	const size_t sum = offsetof(struct ext4_group_desc, bg_checksum);

	crc = ext4_crc16(crc, desc, sum);
	return ext4_crc16(crc, &desc->bg_checksum + 1, fs->desc_size - sum - 2);
}

/* CRC-16 over the file system's UUID, the group's number and the descriptor without its sum. */
uint16_t ext4_desc_csum(const struct ext4_fs *fs, uint32_t g)
{
	return csum_of(fs, ext4_crc16(fs->csum_seed, &g, sizeof(g)), ext4_desc(fs, g));
}

/* After a change of descriptor @g: renew the checksum and write it back.  No fence: counters. */
static void desc_done(struct ext4_fs *fs, uint32_t g)
{
	struct ext4_group_desc *desc = ext4_desc(fs, g);

	if (fs->gdt_csum)
		desc->bg_checksum = ext4_desc_csum(fs, g);
	pm_wb(fs, desc, fs->desc_size);
}

/* A counter of a descriptor: 16 bits, or 32 in two halves with the 64bit feature. */
static void desc_put(const struct ext4_fs *fs, uint16_t *lo, uint16_t *hi, uint32_t v)
{
	*lo = (uint16_t)v;
	if (fs->desc_size == 64)
		*hi = (uint16_t)(v >> 16);
}

#define DESC_GET(fs, d, f)                                                                         \
	((d)->f##_lo | ((fs)->desc_size == 64 ? (uint32_t)(d)->f##_hi << 16 : 0u))
#define DESC_PUT(fs, d, f, v) desc_put(fs, &(d)->f##_lo, &(d)->f##_hi, v)

void ext4_group_sums_init(struct ext4_fs *fs)
{
	ext4_crc16_init();
	fs->csum_seed = ext4_crc16(0xFFFF, fs->sb->s_uuid, sizeof(fs->sb->s_uuid));
	for (unsigned bit = 0; bit < 16; bit++) {
		struct ext4_group_desc free = {.bg_free_blocks_lo = (uint16_t)(1u << bit)};
		struct ext4_group_desc flag = {.bg_flags = (uint16_t)(1u << bit)};
		uint16_t *of = fs->csum_of_free[bit / 4], one = 1u << bit % 4;

		of[one] = csum_of(fs, 0, &free);
		for (unsigned less = 1; less < one; less++)
			of[one + less] = of[one] ^ of[less];
		fs->csum_of_flag[bit] = csum_of(fs, 0, &flag);
	}
}

/* What the checksum changes by when these bits of two fields change. */
static uint16_t csum_moves(const struct ext4_fs *fs, uint32_t free, uint32_t flags)
{
	uint16_t sum = fs->csum_of_free[0][free % 16] ^ fs->csum_of_free[1][free / 16 % 16] ^
		       fs->csum_of_free[2][free / 256 % 16] ^ fs->csum_of_free[3][free / 4096 % 16];

	for (; flags; flags &= flags - 1)
		sum ^= fs->csum_of_flag[__builtin_ctz(flags)];
	return sum;
}

/*
 * The count of free blocks and the flags, as every allocation and freeing changes them. A CRC is
 * linear, so the checksum moves with them: it fits before, as the mount has looked at it, or repair
 * has renewed it.
 */
static void put_blocks(struct ext4_fs *fs, uint32_t g, uint32_t free, uint32_t flags)
{
	struct ext4_group_desc *d = ext4_desc(fs, g);
	uint32_t moved = DESC_GET(fs, d, bg_free_blocks) ^ free, flipped = d->bg_flags ^ flags;

	DESC_PUT(fs, d, bg_free_blocks, free);
	d->bg_flags = (uint16_t)flags;
	if (moved > UINT16_MAX) {
		desc_done(fs, g);
		return;
	}
	if (fs->gdt_csum)
		d->bg_checksum ^= csum_moves(fs, moved, flipped);
	pm_wb(fs, d, fs->desc_size);
}

void ext4_desc_add_free_blocks(struct ext4_fs *fs, uint32_t g, int32_t delta)
{
	const struct ext4_group_desc *d = ext4_desc(fs, g);
	uint64_t free =
		ext4_count(DESC_GET(fs, d, bg_free_blocks), delta, ext4_group_blocks(fs, g));

	put_blocks(fs, g, (uint32_t)free, d->bg_flags);
}

void ext4_desc_add_inodes(struct ext4_fs *fs, uint32_t g, int32_t free, int32_t dirs)
{
	struct ext4_group_desc *d = ext4_desc(fs, g);

	DESC_PUT(fs, d, bg_free_inodes,
		 (uint32_t)ext4_count(DESC_GET(fs, d, bg_free_inodes), free, fs->inodes_per_group));
	DESC_PUT(fs, d, bg_used_dirs,
		 (uint32_t)ext4_count(DESC_GET(fs, d, bg_used_dirs), dirs, fs->inodes_per_group));
	desc_done(fs, g);
}

struct ext4_counts ext4_desc_counts(const struct ext4_fs *fs, uint32_t g)
{
	const struct ext4_group_desc *d = ext4_desc(fs, g);
	struct ext4_counts n = {
		.free_blocks = DESC_GET(fs, d, bg_free_blocks),
		.free_inodes = DESC_GET(fs, d, bg_free_inodes),
		.used_dirs = DESC_GET(fs, d, bg_used_dirs),
		.itable_unused = fs->gdt_csum ? DESC_GET(fs, d, bg_itable_unused) : 0,
		.flags = fs->gdt_csum ? d->bg_flags : 0,
	};

	if (n.itable_unused > fs->inodes_per_group || (n.flags & BG_INODE_UNINIT))
		n.itable_unused = n.flags & BG_INODE_UNINIT ? fs->inodes_per_group : 0;
	return n;
}

void ext4_desc_set_counts(struct ext4_fs *fs, uint32_t g, const struct ext4_counts *n)
{
	struct ext4_group_desc *d = ext4_desc(fs, g);

	DESC_PUT(fs, d, bg_free_blocks, n->free_blocks);
	DESC_PUT(fs, d, bg_free_inodes, n->free_inodes);
	DESC_PUT(fs, d, bg_used_dirs, n->used_dirs);
	if (fs->gdt_csum) {
		DESC_PUT(fs, d, bg_itable_unused, n->itable_unused);
		d->bg_flags = (uint16_t)n->flags;
	}
	desc_done(fs, g);
}

void ext4_sum_counts(struct ext4_fs *fs)
{
	fs->free_blocks = fs->free_inodes = 0;
	for (uint32_t g = 0; g < fs->groups; g++) {
		struct ext4_counts n = ext4_desc_counts(fs, g);

		fs->free_blocks += ext4_count(0, n.free_blocks, ext4_group_blocks(fs, g));
		fs->free_inodes += ext4_count(0, n.free_inodes, fs->inodes_per_group);
	}
}

/* The map of a group in which nothing but metadata is used; bits behind its end are set. */
void ext4_base_bitmap(const struct ext4_fs *fs, uint32_t g, uint8_t *map)
{
	uint64_t first = (uint64_t)g * fs->blocks_per_group;
	uint32_t n = ext4_group_blocks(fs, g);

	memset(map, 0, EXT4_BLOCK_SIZE);
	for (uint32_t i = ext4_zone_behind(fs, first); i < fs->zones; i++) {
		const struct ext4_zone *z = &fs->zone[i];
		uint64_t from = z->first > first ? z->first : first;
		uint64_t to = z->first + z->count < first + n ? z->first + z->count : first + n;

		if (from >= first + n)
			break;
		bits_set(map, (uint32_t)(from - first), (uint32_t)(to - from));
	}
	bits_set(map, n, 8 * EXT4_BLOCK_SIZE - n);
}

/* Write the block bitmap of a group that never had one. */
void ext4_group_init_blocks(struct ext4_fs *fs, uint32_t g)
{
	struct ext4_group_desc *d = ext4_desc(fs, g);
	uint8_t *map = ext4_block(fs, fs->group[g].block_bitmap);

	if (!fs->gdt_csum || !(d->bg_flags & BG_BLOCK_UNINIT))
		return;
	ext4_base_bitmap(fs, g, map);
	pm_wb(fs, map, EXT4_BLOCK_SIZE);
	/* The bitmap before the flag, else a cut leaves garbage that counts as a bitmap. */
	pm_fence(fs);
	put_blocks(fs, g, DESC_GET(fs, d, bg_free_blocks), d->bg_flags & ~BG_BLOCK_UNINIT);
}

/* The first block of the group's metadata that the bitmap calls free, or fs->blocks. */
static uint64_t free_metadata(const struct ext4_fs *fs, uint32_t g)
{
	const uint8_t *map = ext4_block(fs, fs->group[g].block_bitmap);
	uint64_t first = (uint64_t)g * fs->blocks_per_group, end = first + ext4_group_blocks(fs, g);

	for (uint32_t i = ext4_zone_behind(fs, first); i < fs->zones; i++) {
		const struct ext4_zone *z = &fs->zone[i];
		uint64_t from = z->first > first ? z->first : first;
		uint64_t to = z->first + z->count < end ? z->first + z->count : end, b;

		if (from >= end)
			break;
		b = first + bits_next_clear(map, (uint32_t)(from - first), (uint32_t)(to - first));
		if (b < to)
			return b;
	}
	return fs->blocks;
}

bool ext4_group_prove(struct ext4_fs *fs, uint32_t g)
{
	struct ext4_group *group = &fs->group[g];
	uint64_t wrong;

	if (group->bitmap == DISPROVEN)
		return false;
	wrong = free_metadata(fs, g);
	group->bitmap = wrong < fs->blocks ? DISPROVEN : PROVEN;
	if (group->bitmap == DISPROVEN)
		ext4_damage(fs,
			    "group %u: its bitmap calls metadata free near block %llu, so it is "
			    "none and is left alone; run `e2fsck -fy IMAGE`",
			    (unsigned)g, (unsigned long long)wrong);
	return group->bitmap == PROVEN;
}

/* Are the blocks [from, to) of group @g free, but for metadata? *metadata grows by that. */
static bool all_free(const struct ext4_fs *fs, uint32_t g, uint32_t from, uint32_t to,
		     uint32_t *metadata)
{
	const uint64_t first = (uint64_t)g * fs->blocks_per_group;
	const uint8_t *map = ext4_block(fs, fs->group[g].block_bitmap);

	if (from == to)
		return true;
	for (uint32_t i = ext4_zone_behind(fs, first + from); from < to; i++) {
		uint64_t start = i < fs->zones ? fs->zone[i].first : UINT64_MAX;
		uint64_t end = i < fs->zones ? start + fs->zone[i].count : UINT64_MAX;
		uint32_t hole = start < first + to ? (uint32_t)(start - first) : to;

		if (start < first + from)
			hole = from;
		if (bits_next_set(map, from, hole) < hole)
			return false;
		from = end < first + to ? (uint32_t)(end - first) : to;
		*metadata += from - hole;
	}
	return true;
}

static inline bool may_retire(struct ext4_fs *fs, uint32_t g)
{
	const uint32_t uninit = BG_INODE_UNINIT | BG_BLOCK_UNINIT;

	return (ext4_desc(fs, g)->bg_flags & uninit) == BG_INODE_UNINIT && ext4_group_proven(fs, g);
}

/*
 * Worth it for a large part of the group only, as the next allocation there writes the bitmap
 * anew.  Not for a group whose inode bitmap is in use, nor for the last one: tools take their block
 * bitmaps for in use as well.  One store of the flag is the commit: before it the group's blocks
 * leak at a cut, after it they are free.
 */
bool ext4_group_retire(struct ext4_fs *fs, uint32_t g, uint32_t at, uint32_t n, int32_t *freed)
{
	const uint32_t blocks = ext4_group_blocks(fs, g);
	const struct ext4_group_desc *d = ext4_desc(fs, g);
	uint32_t metadata = 0;

	if (!fs->gdt_csum || n < blocks / 2 || g + 1 == fs->groups || !may_retire(fs, g) ||
	    !all_free(fs, g, 0, at, &metadata) || !all_free(fs, g, at + n, blocks, &metadata))
		return false;
	*freed = (int32_t)(blocks - metadata) - (int32_t)DESC_GET(fs, d, bg_free_blocks);
	put_blocks(fs, g, blocks - metadata, d->bg_flags | BG_BLOCK_UNINIT);
	return true;
}

/*
 * The range begins at block @at of group @g: is nothing used before it but metadata that begins the
 * group?  *metadata: how many blocks.  A file's runs begin behind a zone, or a bit further on,
 * where 2 MiB do.
 */
static bool begins_group(struct ext4_fs *fs, uint32_t g, uint32_t at, uint32_t gap,
			 uint32_t *metadata)
{
	const uint64_t first = (uint64_t)g * fs->blocks_per_group;
	const struct ext4_zone *before;

	if (gap > fs->zones || !ext4_in_gap(fs, gap, first + at, 1))
		gap = ext4_zone_behind(fs, first + at);
	if (!gap)
		return false;
	before = &fs->zone[gap - 1];
	*metadata = 0;
	if (before->first + before->count > first)
		*metadata = (uint32_t)(before->first + before->count - first);
	return (!*metadata || before->first <= first) &&
	       bits_next_set(ext4_block(fs, fs->group[g].block_bitmap), *metadata, at) == at;
}

/* The four fields from the count of free blocks to the flags as one number: most groups that were
 * never used have the same. */
static inline uint64_t counts_and_flags(const struct ext4_group_desc *d)
{
	typedef uint64_t __attribute__((may_alias, aligned(4))) word_t;
	const size_t at = offsetof(struct ext4_group_desc, bg_free_blocks_lo);

	_Static_assert(offsetof(struct ext4_group_desc, bg_flags) == 12 + 6, "eight bytes");
	return *(const word_t *)(const void *)((const uint8_t *)d + at);
}

/* Counts of free blocks are of 32768 at most: an upper half that is set is damage, and the group is
 * left to its bitmap. */
static inline bool too_many(const struct ext4_group_desc *d, size_t size)
{
	return size == 64 && d->bg_free_blocks_hi;
}

/*
 * Groups from @g to @end, in which nothing is used but metadata, @metadata blocks at the begin of
 * the first: which is the first one that is not given up?  Neighbours are mostly alike: what there
 * is to know of a group is known of those behind it.  (Nor have those metadata that a bitmap could
 * call free, which ext4_group_proven would have to ask.)
 */
static inline __attribute__((always_inline)) uint32_t retire_range(struct ext4_fs *fs, uint32_t g,
								   uint32_t end, uint32_t metadata,
								   size_t size, int64_t *freed)
{
	struct ext4_group_desc *d = (void *)(fs->gdt + (size_t)g * size);
	uint32_t free = fs->blocks_per_group - metadata;

	while (g < end && may_retire(fs, g) && !too_many(d, size)) {
		const uint32_t first = g, stop = metadata ? g + 1 : end;
		const uint64_t state = counts_and_flags(d);
		const uint32_t was = d->bg_free_blocks_lo;
		const uint16_t flags = d->bg_flags | BG_BLOCK_UNINIT;
		const uint16_t sum = csum_moves(fs, was ^ free, BG_BLOCK_UNINIT);

		do {
			d->bg_free_blocks_lo = (uint16_t)free;
			d->bg_flags = flags;
			d->bg_checksum ^= sum;
			d = (void *)((uint8_t *)d + size);
		} while (++g < stop && counts_and_flags(d) == state && !too_many(d, size));
		*freed += (int64_t)(g - first) * ((int64_t)free - was);
		free += metadata;
		metadata = 0;
	}
	return g;
}

uint32_t ext4_groups_retire(struct ext4_fs *fs, uint32_t g, uint32_t at, uint32_t n, uint32_t gap,
			    int64_t *freed)
{
	const uint32_t blocks = fs->blocks_per_group, size = fs->desc_size;
	const uint32_t end = n < fs->groups - 1 - g ? g + n : fs->groups - 1;
	uint32_t metadata = 0, next;

	if (!fs->gdt_csum || (at && (at > blocks / 2 || !begins_group(fs, g, at, gap, &metadata))))
		return 0;
	if (size == 64)
		next = retire_range(fs, g, end, metadata, 64, freed);
	else
		next = retire_range(fs, g, end, metadata, size, freed);
	if (next > g)
		pm_wb(fs, ext4_desc(fs, g), (size_t)(next - g) * size);
	return next - g;
}

/* Write the inode bitmap of a group that never had one: all free, padding set. */
void ext4_group_init_inodes(struct ext4_fs *fs, uint32_t g)
{
	struct ext4_group_desc *d = ext4_desc(fs, g);
	uint8_t *map = ext4_block(fs, fs->group[g].inode_bitmap);

	if (!fs->gdt_csum || !(d->bg_flags & BG_INODE_UNINIT))
		return;
	memset(map, 0, EXT4_BLOCK_SIZE);
	bits_set(map, fs->inodes_per_group, 8 * EXT4_BLOCK_SIZE - fs->inodes_per_group);
	pm_wb(fs, map, EXT4_BLOCK_SIZE);
	/* As above: the bitmap before the flag. */
	pm_fence(fs);
	d->bg_flags &= (uint16_t)~BG_INODE_UNINIT;
	DESC_PUT(fs, d, bg_itable_unused, fs->inodes_per_group);
	desc_done(fs, g);
}
