/* SPDX-License-Identifier: MIT */
/*
 * The block allocator: bitmaps on the device, next-fit, and a small reserve.
 *
 * The order around a block, whoever owns it:
 *   birth: bit set, contents written  -> fence ->  linked into a file   (fence by the caller)
 *   death: unlinked from the file     -> fence ->  bit cleared          (ext4_bfree's caller)
 * so at no moment is a block reachable whose bit is clear, and none is found free while a file
 * still reaches it.  The counters beside the bitmap may be stale after a cut.
 *
 * A free block is passed by when env.idle_run says somebody still references its page (I1). The
 * question is asked when the block is handed out, by the search and by the reserve alike: what was
 * at rest a moment ago may be held again.
 *
 * Blocks are found, taken and given back by runs, a word of the bitmap at a time (bits.c); counters
 * and the device's own marks change once for a run, or for the part of it in one group.
 *
 * The reserve (fs->pool): up to EXT4_POOL_MAX particular free blocks that ordinary requests
 * never get, so that freeing can split an extent on a full device (F-10).  They are free in
 * the bitmap: the reserve exists in memory only and costs nothing at a cut.  It is filled at the
 * start of every change.
 */
#include "dax/ext4/internal.h"

#define HUGE_BLOCKS 512u /* 2 MiB */
#define GROUP_BITS  (8u * EXT4_BLOCK_SIZE)

struct run {
	uint32_t at, len;
};

static uint8_t *bitmap_of(const struct ext4_fs *fs, uint32_t g)
{
	return ext4_block(fs, fs->group[g].block_bitmap);
}

/* How many of @len free blocks from @pblk on come before the first one of the reserve. */
static uint32_t before_pool(const struct ext4_fs *fs, uint64_t pblk, uint32_t len)
{
	for (uint32_t i = 0; i < fs->pool_n; i++)
		if (fs->pool[i] - pblk < len)
			len = (uint32_t)(fs->pool[i] - pblk);
	return len;
}

/* How many of them come before the first one that is held, which is counted as passed by. */
static uint32_t before_held(struct ext4_fs *fs, uint64_t pblk, uint32_t len)
{
	uint32_t n = len;

	if (len && fs->env.idle_run)
		n = fs->env.idle_run(fs->env.ctx, pblk, len);
	fs->passed_busy += n < len;
	return n;
}

/* The blocks of group @g that may be handed out from @at on, at most @want. */
static uint32_t usable_run(struct ext4_fs *fs, uint32_t g, uint32_t at, uint32_t want)
{
	uint64_t pblk = (uint64_t)g * fs->blocks_per_group + at;
	uint32_t n = ext4_group_blocks(fs, g), len = 0;

	if (at < n)
		len = bits_next_set(bitmap_of(fs, g), at, n - at < want ? n : at + want) - at;
	return before_held(fs, pblk, before_pool(fs, pblk, len));
}

/* The first run of @want blocks of group @g at or after @from, or else the longest there. */
static struct run find_free(struct ext4_fs *fs, uint32_t g, uint32_t from, uint32_t want)
{
	uint32_t n = ext4_group_blocks(fs, g);
	const uint8_t *map = bitmap_of(fs, g);
	struct run best = {0, 0};

	for (uint32_t at = bits_next_clear(map, from, n); at < n;
	     at = bits_next_clear(map, at, n)) {
		uint32_t len = usable_run(fs, g, at, want);

		if (len > best.len)
			best = (struct run){at, len};
		if (best.len >= want)
			break;
		at += len + 1;
	}
	return best;
}

/* A 2 MiB aligned run of at least 2 MiB in group @g. */
static struct run find_aligned(struct ext4_fs *fs, uint32_t g, uint32_t want)
{
	uint64_t first = (uint64_t)g * fs->blocks_per_group;
	uint32_t n = ext4_group_blocks(fs, g);
	uint32_t at = (uint32_t)((HUGE_BLOCKS - first % HUGE_BLOCKS) % HUGE_BLOCKS);

	for (; at + HUGE_BLOCKS <= n; at += HUGE_BLOCKS)
		if (usable_run(fs, g, at, HUGE_BLOCKS) == HUGE_BLOCKS)
			return (struct run){at, usable_run(fs, g, at, want)};
	return (struct run){0, 0};
}

/* Change the free counter of the superblock; groups have their own. */
static void add_free_blocks(struct ext4_fs *fs, int64_t delta)
{
	struct ext4_super *sb = fs->sb;

	fs->free_blocks = ext4_count(fs->free_blocks, delta, fs->blocks);
	sb->s_free_blocks_lo = (uint32_t)fs->free_blocks;
	pm_wb(fs, &sb->s_free_blocks_lo, sizeof(uint32_t));
	if (fs->desc_size == 64 && sb->s_free_blocks_hi != fs->free_blocks >> 32) {
		sb->s_free_blocks_hi = (uint32_t)(fs->free_blocks >> 32);
		pm_wb(fs, &sb->s_free_blocks_hi, sizeof(uint32_t));
	}
}

static int take(struct ext4_fs *fs, uint32_t g, struct run run)
{
	uint64_t pblk = (uint64_t)g * fs->blocks_per_group + run.at;
	uint8_t *map = bitmap_of(fs, g);

	if (fs->env.may_take && !fs->env.may_take(fs->env.ctx, pblk, run.len))
		return ext4_fail(fs, -EIO,
				 "group %u: the bitmap calls %u block(s) from %llu on free, and a "
				 "page of them is in use (I1); run e2fsck -f",
				 (unsigned)g, (unsigned)run.len, (unsigned long long)pblk);
	bits_set(map, run.at, run.len);
	pm_wb(fs, map + run.at / 8, (run.at + run.len - 1) / 8 - run.at / 8 + 1);
	add_free_blocks(fs, -(int64_t)run.len);
	ext4_desc_add_free_blocks(fs, g, -(int32_t)run.len);
	fs->goal = pblk + run.len;
	return 0;
}

static bool worth_a_look(struct ext4_fs *fs, uint32_t g, uint32_t at_least)
{
	if (ext4_desc_counts(fs, g).free_blocks < at_least)
		return false;
	ext4_group_init_blocks(fs, g);
	return ext4_group_proven(fs, g);
}

/* Search in the order: exactly at the goal, aligned, behind the goal, everywhere. */
static struct run search(struct ext4_fs *fs, uint64_t goal, uint32_t want, uint32_t flags,
			 uint32_t *group)
{
	uint32_t g0 = (uint32_t)(goal / fs->blocks_per_group);
	uint32_t at = (uint32_t)(goal % fs->blocks_per_group);
	bool align = (flags & EXT4_ALLOC_ALIGN) && want >= HUGE_BLOCKS;
	struct run run = {0, 0};

	*group = g0;
	if ((!align || goal % HUGE_BLOCKS == 0) && worth_a_look(fs, g0, 1)) {
		run = (struct run){at, usable_run(fs, g0, at, want)};
		if (run.len && (!align || run.len >= HUGE_BLOCKS))
			return run;
	}
	for (uint32_t i = 0; align && i < fs->groups; i++) {
		*group = (g0 + i) % fs->groups;
		if (!worth_a_look(fs, *group, HUGE_BLOCKS))
			continue;
		run = find_aligned(fs, *group, want);
		if (run.len)
			return run;
	}
	for (uint32_t i = 0; i <= fs->groups; i++) {
		*group = (g0 + i) % fs->groups;
		if (!worth_a_look(fs, *group, 1))
			continue;
		run = find_free(fs, *group, i == 0 ? at : 0, want);
		if (run.len)
			return run;
	}
	return (struct run){0, 0};
}

/* The last resort of a freeing operation: a block of the reserve. One that is held again since it
 * was set aside (as a part of 2 MiB, of which another part was freed under a holder) is a free
 * block like any other from now on, out of reach until the last put. */
static bool from_pool(struct ext4_fs *fs, uint64_t *pblk)
{
	while (fs->pool_n) {
		uint64_t b = fs->pool[--fs->pool_n];
		struct run run = {(uint32_t)(b % fs->blocks_per_group), 1};

		if (!before_held(fs, b, 1) || take(fs, (uint32_t)(b / fs->blocks_per_group), run))
			continue;
		*pblk = b;
		return true;
	}
	return false;
}

/*
 * Take up to @want contiguous blocks near @goal; *got >= 1 of them at *pblk.  Bits and counters
 * are written back, not fenced: the caller fences before it links.
 */
int ext4_balloc(struct ext4_fs *fs, uint64_t goal, uint32_t want, uint32_t flags, uint64_t *pblk,
		uint32_t *got)
{
	struct run run;
	uint32_t g;

	if (goal == 0 || goal >= fs->blocks)
		goal = fs->goal < fs->blocks ? fs->goal : 0;
	fs->passed_busy = 0;
	run = search(fs, goal, want, flags, &g);
	*got = run.len;
	if (run.len) {
		*pblk = (uint64_t)g * fs->blocks_per_group + run.at;
		if (ext4_forbidden(fs, *pblk, run.len))
			return ext4_fail(
				fs, -EIO,
				"group %u: the bitmap calls metadata free near block %llu; "
				"run `e2fsck -fy IMAGE`",
				(unsigned)g, (unsigned long long)*pblk);
		return take(fs, g, run);
	}
	if ((flags & EXT4_ALLOC_POOL) && from_pool(fs, pblk)) {
		*got = 1;
		return 0;
	}
	fs->blocked_by_busy = fs->passed_busy;
	if (!fs->passed_busy)
		return ext4_fail(fs, -ENOSPC, "no free block left on the device");
	fs->enospc_busy++;
	return ext4_fail(fs, -ENOSPC,
			 "no block to give: the free ones are busy, somebody still references "
			 "their pages; it would succeed after the last put");
}

bool ext4_block_free(struct ext4_fs *fs, uint64_t pblk)
{
	uint32_t g = (uint32_t)(pblk / fs->blocks_per_group);

	if (fs->gdt_csum && (ext4_desc(fs, g)->bg_flags & BG_BLOCK_UNINIT))
		return !ext4_forbidden(fs, pblk, 1);
	return !bit_test(bitmap_of(fs, g), (uint32_t)(pblk % fs->blocks_per_group));
}

void ext4_free_again(struct ext4_fs *fs, uint64_t pblk, uint32_t count)
{
	ext4_bfree(fs, pblk, count);
}

/* The part of a run that lies in one group; how many blocks are free now and were not before. */
static int32_t free_in_group(struct ext4_fs *fs, uint32_t g, uint32_t at, uint32_t n)
{
	uint8_t *map = bitmap_of(fs, g);
	int32_t freed;

	if (ext4_group_retire(fs, g, at, n, &freed))
		return freed;
	ext4_group_init_blocks(fs, g);
	if (!ext4_group_proven(fs, g))
		return 0;
	freed = (int32_t)bits_clear(map, at, n);
	pm_wb(fs, map + at / 8, (at + n - 1) / 8 - at / 8 + 1);
	ext4_desc_add_free_blocks(fs, g, freed);
	return freed;
}

/* A run's bits become clear: how many blocks are free now and were not before. */
static int64_t free_run(struct ext4_fs *fs, const struct ext4_run *run)
{
	uint64_t pblk = run->pblk;
	uint32_t count = run->count;
	int64_t freed = 0;

	while (count) {
		uint32_t g = (uint32_t)(pblk / fs->blocks_per_group);
		uint32_t at = (uint32_t)(pblk % fs->blocks_per_group);
		uint32_t room = fs->blocks_per_group - at;
		uint32_t n = count < room ? count : room;
		uint32_t whole = 0;

		if (count >= room)
			whole = ext4_groups_retire(fs, g, at,
						   1 + (count - room) / fs->blocks_per_group,
						   run->gap, &freed);
		if (whole)
			n = room + (whole - 1) * fs->blocks_per_group;
		else
			freed += free_in_group(fs, g, at, n);
		pblk += n;
		count -= n;
	}
	return freed;
}

/*
 * Clear the bits of all blocks of the runs: how many blocks those are.  The caller has fenced the
 * step that made them unreachable: unlink before clear, else a cut shows a file that reaches a free
 * block.
 */
uint64_t ext4_bfree_runs(struct ext4_fs *fs, const struct ext4_run *run, uint32_t n)
{
	int64_t freed = 0;
	uint64_t blocks = 0;

	for (; n; n--, run++) {
		blocks += run->count;
		freed += free_run(fs, run);
	}
	add_free_blocks(fs, freed);
	return blocks;
}

void ext4_bfree(struct ext4_fs *fs, uint64_t pblk, uint32_t count)
{
	const struct ext4_run run = {.pblk = pblk, .count = count};

	ext4_bfree_runs(fs, &run, 1);
}

static void pool_from_group(struct ext4_fs *fs, uint32_t g, uint32_t cap)
{
	const uint8_t *map = bitmap_of(fs, g);
	uint64_t pblk;

	for (uint32_t b = ext4_group_blocks(fs, g); b-- > 0 && fs->pool_n < cap;) {
		if (b % 8 == 7 && map[b / 8] == 0xFF) {
			b -= 7;
			continue;
		}
		pblk = (uint64_t)g * fs->blocks_per_group + b;
		if (usable_run(fs, g, b, 1) && !ext4_forbidden(fs, pblk, 1))
			fs->pool[fs->pool_n++] = pblk;
	}
}

/* From the end of the device downwards, away from where files grow. */
static void __attribute__((noinline)) pool_more(struct ext4_fs *fs, uint32_t cap)
{
	for (uint32_t g = fs->groups; g-- > 0 && fs->pool_n < cap;)
		if (worth_a_look(fs, g, 1))
			pool_from_group(fs, g, cap);
}

/* Fill the reserve: before nearly every change it is full. */
void ext4_pool_fill(struct ext4_fs *fs)
{
	uint32_t cap = fs->blocks < 2048 ? EXT4_POOL_MAX / 2 : EXT4_POOL_MAX;

	if (fs->env.museum && fs->env.museum(fs->env.ctx, EXT4_NO_RESERVE))
		cap = fs->pool_n = 0;
	if (fs->pool_n < cap)
		pool_more(fs, cap);
}
