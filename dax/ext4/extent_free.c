/* SPDX-License-Identifier: MIT */
/*
 * Giving blocks back: truncate, punch, evict.
 *
 * From the end of the range backwards, one leaf at a time:
 *   1. the records leave the tree (ext4_splice, durable);
 *   2. env.freeing is told, so that held pages are marked before anybody can get the blocks;
 *   3. the bits are cleared.
 * 1 before 3, else a cut shows a file that reaches a free block; 2 before 3, else the allocator
 * hands out a block whose page is still referenced (I1).  A cut between them leaks blocks, which
 * the next repair finds.
 *
 * F-10, freeing must not fail for space: at the end of a leaf records are dropped and the last
 * one shortened in place, so truncate and evict need no block.  A hole in the middle needs one
 * or more for a moment: first from the bitmap, then from the reserve; if both are empty the
 * range is zeroed where it lies and stays in the file, which reads the same.
 */
#include "dax/ext4/internal.h"

struct hole {
	struct ext4_inode *ip;
	uint64_t first, end; /* lblks, end exclusive */
};

static uint64_t end_of(const struct ext4_extent *e)
{
	return (uint64_t)e->ee_block + ext4_len(e);
}

/* The part of @e inside the hole: false if none. */
static bool clip(const struct hole *h, const struct ext4_extent *e, uint64_t *pblk, uint32_t *len)
{
	uint64_t from = e->ee_block > h->first ? e->ee_block : h->first;
	uint64_t to = end_of(e) < h->end ? end_of(e) : h->end;

	if (from >= to)
		return false;
	*pblk = ext4_start(e) + (from - e->ee_block);
	*len = (uint32_t)(to - from);
	return true;
}

/* Where records lie, those that touch as one; n above RUNS: there are more. */
#define RUNS 16u
struct runs {
	uint32_t n;
	struct ext4_run run[RUNS];
};

static inline void keep_run(struct runs *runs, uint64_t pblk, uint64_t end, uint32_t gap)
{
	if (runs->n < RUNS)
		runs->run[runs->n] = (struct ext4_run){pblk, (uint32_t)(end - pblk), gap};
	runs->n++;
}

/* Museum: step 3 before step 1. */
static bool bitmap_first(const struct ext4_fs *fs)
{
	return fs->env.museum && fs->env.museum(fs->env.ctx, EXT4_BITMAP_FIRST);
}

static void clear_too_early(const struct hole *h, const struct ext4_extent *recs, uint32_t n)
{
	uint64_t pblk;
	uint32_t len;

	for (uint32_t i = 0; i < n; i++)
		if (clip(h, &recs[i], &pblk, &len))
			ext4_bfree(h->ip->fs, pblk, len);
	pm_fence(h->ip->fs);
}

/* Steps 2 and 3: all of the runs are told before a bit of any is cleared. */
static void give_runs(const struct hole *h, const struct ext4_run *run, uint32_t n)
{
	struct ext4_fs *fs = h->ip->fs;

	if (fs->env.freeing)
		fs->env.freeing(fs->env.ctx, h->ip, run, n);
	ext4_add_blocks(h->ip, -(int64_t)ext4_bfree_runs(fs, run, n));
	/* ext4_free_blocks fences bits and counters at its end: no order among them matters. */
}

/* The same for the parts of @recs that lie in the hole; extents that touch go as one run. */
static void give_back(const struct hole *h, const struct ext4_extent *recs, uint32_t n)
{
	struct ext4_run run[RUNS];
	uint32_t runs = 0, len; /* the device has less than 2^32 blocks */
	uint64_t pblk;

	for (uint32_t i = 0; i < n; i++) {
		if (i && i + 1 < n) { /* in between others: all of it */
			pblk = ext4_start(&recs[i]);
			len = ext4_len(&recs[i]);
		} else if (!clip(h, &recs[i], &pblk, &len)) {
			continue;
		}
		if (runs && run[runs - 1].pblk + run[runs - 1].count == pblk) {
			run[runs - 1].count += len;
			continue;
		}
		if (runs == RUNS) {
			give_runs(h, run, runs);
			runs = 0;
		}
		run[runs++] = (struct ext4_run){.pblk = pblk, .count = len};
	}
	if (runs)
		give_runs(h, run, runs);
}

/* No block for the tree: zero the blocks and let the file keep them (F-10). */
static void zero_in_place(const struct hole *h, const struct ext4_extent *recs, uint32_t n)
{
	struct ext4_fs *fs = h->ip->fs;
	uint64_t pblk;
	uint32_t len;

	for (uint32_t i = 0; i < n; i++) {
		if (ext4_unwritten(&recs[i]) || !clip(h, &recs[i], &pblk, &len))
			continue;
		memset(ext4_block(fs, pblk), 0, (size_t)len * EXT4_BLOCK_SIZE);
		pm_wb(fs, ext4_block(fs, pblk), (size_t)len * EXT4_BLOCK_SIZE);
	}
}

/* Records lo..hi reach to the end of their leaf, and the hole to the end of the last one. */
static int cut_tail(const struct hole *h, struct ext4_path *path, uint32_t lo, uint32_t hi,
		    const struct runs *runs)
{
	struct ext4_extent *rec = ext4_recs(path->level[path->depth].node);
	struct ext4_extent first = rec[lo], kept, saved[EXT4_ROOT_MAX];
	bool keep_head = first.ee_block < h->first;
	uint32_t at = lo + keep_head, n = hi + 1 - at;
	int err = 0;

	if (bitmap_first(h->ip->fs))
		clear_too_early(h, &rec[lo], hi + 1 - lo);
	/* The records stay readable behind eh_entries; those of a root may not, so copy them. */
	if (n && n <= EXT4_ROOT_MAX)
		memcpy(saved, &rec[at], n * sizeof(*rec));
	if (n)
		err = ext4_splice(h->ip, path, path->depth, at, n, NULL, 0, EXT4_ALLOC_POOL);
	if (err == -ENOSPC || err == -ENOMEM)
		zero_in_place(h, &rec[at], n);
	else if (err)
		return err;
	else if (n && !keep_head && runs->n <= RUNS)
		give_runs(h, runs->run, runs->n);
	else if (n)
		give_back(h, n <= EXT4_ROOT_MAX ? saved : &rec[at], n);
	if (!keep_head)
		return 0;
	kept = ext4_make_extent(first.ee_block, ext4_start(&first),
				(uint32_t)(h->first - first.ee_block), ext4_unwritten(&first));
	err = ext4_splice(h->ip, path, path->depth, lo, 1, &kept, 1, EXT4_ALLOC_POOL);
	if (!err)
		give_back(h, &first, 1);
	return err;
}

/* Records lo..hi are replaced by what remains of the first and of the last. */
static int cut_middle(const struct hole *h, struct ext4_path *path, uint32_t lo, uint32_t hi)
{
	struct ext4_extent *rec = ext4_recs(path->level[path->depth].node);
	struct ext4_extent first = rec[lo], last = rec[hi], kept[2], saved[EXT4_ROOT_MAX];
	uint32_t n = hi + 1 - lo, k = 0;
	int err;

	if (bitmap_first(h->ip->fs))
		clear_too_early(h, &rec[lo], n);
	if (n <= EXT4_ROOT_MAX)
		memcpy(saved, &rec[lo], n * sizeof(*rec));
	if (first.ee_block < h->first)
		kept[k++] = ext4_make_extent(first.ee_block, ext4_start(&first),
					     (uint32_t)(h->first - first.ee_block),
					     ext4_unwritten(&first));
	if (end_of(&last) > h->end)
		kept[k++] = ext4_make_extent(
			(uint32_t)h->end, ext4_start(&last) + (h->end - last.ee_block),
			(uint32_t)(end_of(&last) - h->end), ext4_unwritten(&last));
	err = ext4_splice(h->ip, path, path->depth, lo, n, kept, k, EXT4_ALLOC_POOL);
	if (err == -ENOSPC || err == -ENOMEM) {
		zero_in_place(h, &rec[lo], n);
		return 0;
	}
	if (!err)
		give_back(h, n <= EXT4_ROOT_MAX ? saved : &rec[lo], n);
	return err;
}

/* The first of the records up to @hi that reaches into the hole, as @hi does. */
static uint32_t first_in(const struct hole *h, const struct ext4_extent *rec, uint32_t hi)
{
	uint32_t lo = hi;

	if (!h->first)
		return 0;
	while (lo > 0 && end_of(&rec[lo - 1]) > h->first)
		lo--;
	return lo;
}

/*
 * As ext4_extent_check of each; places that touch are looked at as one, and kept in @runs, as long
 * as there is room.
 */
static int check_records(struct ext4_inode *ip, const struct ext4_extent *rec, uint32_t n,
			 struct runs *runs)
{
	struct ext4_fs *fs = ip->fs;
	const struct ext4_extent *e = rec, *end = rec + n;
	uint32_t gap = __atomic_load_n(&fs->gap, __ATOMIC_RELAXED);
	bool good = true;
	int err = 0;

	runs->n = 0;
	while (good && e < end) {
		uint64_t start = ext4_start(e), next = start;

		do {
			uint32_t len = ext4_len(e);

			good = len && (uint64_t)e->ee_block + len <= EXT4_MAX_LBLK;
			next += len;
		} while (++e < end && good && ext4_start(e) == next);
		/* The runs of a file lie in gaps side by side. */
		if (++gap > fs->zones || !ext4_in_gap(fs, gap, start, next - start)) {
			good = good && !ext4_forbidden(fs, start, next - start);
			gap = __atomic_load_n(&fs->gap, __ATOMIC_RELAXED);
		}
		keep_run(runs, start, next, gap);
	}
	if (good)
		return 0;
	for (uint32_t i = 0; !err && i < n; i++) /* says which */
		err = ext4_extent_check(ip->fs, ip->ino, &rec[i]);
	return err;
}

/* The part of the hole in the leaf that holds its last block; h->end moves down to what is left. */
static int free_in_leaf(struct hole *h)
{
	struct ext4_path path;
	struct ext4_level *leaf;
	const struct ext4_extent *rec;
	uint32_t lo, hi;
	struct runs runs;
	uint64_t next;
	int err = ext4_find(h->ip, h->end - 1, &path);

	if (err)
		return err;
	leaf = &path.level[path.depth];
	rec = ext4_recs(leaf->node);
	next = h->first;
	if (leaf->at >= 0)
		err = ext4_extent_check(h->ip->fs, h->ip->ino, &rec[leaf->at]);
	if (err)
		return err;
	if (leaf->at >= 0 && end_of(&rec[leaf->at]) > h->first) {
		hi = (uint32_t)leaf->at;
		lo = first_in(h, rec, hi);
		err = check_records(h->ip, &rec[lo], hi + 1 - lo, &runs);
		if (err)
			return err;
		next = rec[lo].ee_block > h->first ? rec[lo].ee_block : h->first;
		if (hi + 1 == leaf->node->eh_entries && end_of(&rec[hi]) <= h->end)
			err = cut_tail(h, &path, lo, hi, &runs);
		else
			err = cut_middle(h, &path, lo, hi);
		if (!err)
			err = ext4_thin(h->ip, next);
	}
	if (!err && next >= h->end)
		next = h->first; /* records out of order: damaged, but the loop must end */
	h->end = next;
	return err;
}

int ext4_free_blocks(struct ext4_inode *ip, uint64_t first, uint64_t end)
{
	int err = ext4_may(ip, false);

	return err ? err : ext4_drop_blocks(ip, first, end);
}

int ext4_drop_blocks(struct ext4_inode *ip, uint64_t first, uint64_t end)
{
	struct hole h = {ip, first, end < EXT4_MAX_LBLK ? end : EXT4_MAX_LBLK};
	int err = ext4_begin(ip->fs);

	if (!err && !ext4_has_tree(ip->raw))
		return ext4_fail(ip->fs, -EINVAL, "inode %u has no extents to free",
				 (unsigned)ip->ino);
	while (!err && h.first < h.end)
		err = free_in_leaf(&h);
	if (!err)
		err = ext4_collapse(ip);
	ext4_touch(ip);
	/* Bits, counters, zeroes and times are durable on return. */
	pm_fence(ip->fs);
	return err;
}
