/* SPDX-License-Identifier: MIT */
/*
 * Reshaping a file: collapse range, insert range, exchange of two files' blocks.
 *
 * They move extents, and a moved extent must be in exactly one place whenever the power goes: "out
 * here, then in there" loses synced data in between, "in there first" gives a block two owners. So
 * nothing is moved. A complete new tree is built beside the old one (extent_list.c) and one step
 * changes the file over:
 *
 *   1. read the old extents, write the new ones as a list, build its tree in fresh blocks
 *   2. commit the inode: root, size and block count together (ext4_inode_commit); for an exchange
 *      both inodes together (ext4_pair_commit)
 *   3. env.freeing is told of the data blocks that left the file (collapse only)
 *   4. the old tree's nodes and those blocks become free
 *
 * A cut before 2 leaks the new nodes, one after it the old ones; the next mount's scan frees
 * either. 2 before 4, else a cut shows a file that reaches a free block; 3 before 4, else the
 * allocator hands out a block whose page is still held (I1).
 *
 * The price is time by the number of extents, and nodes for both trees at once: collapse may use
 * the reserve for freeing operations, the others can fail with -ENOSPC before anything is changed.
 * Until a mount of ours has finished an exchange that was cut in step 2, other readers of the
 * device may see a block in both files.
 */
#include "dax/ext4/internal.h"

/* A file that is about to change over. */
struct reshape {
	struct ext4_inode *ip;
	struct ext4_list old, new, gone; /* gone: data blocks that leave the file */
	struct ext4_disk_inode image;
};

static int begin(struct reshape *r, struct ext4_inode *ip)
{
	*r = (struct reshape){.ip = ip, .new.fs = ip->fs, .gone.fs = ip->fs};
	return ext4_list_read(ip, &r->old);
}

static void end(struct reshape *r)
{
	ext4_list_free(&r->old);
	ext4_list_free(&r->new);
	ext4_list_free(&r->gone);
}

/* [first, last) of the old state of @from is appended to @to, at block @at. */
static int move(struct ext4_list *to, const struct reshape *from, uint64_t first, uint64_t last,
		uint64_t at)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < from->old.n; i++)
		err = ext4_list_add(to, &from->old.rec[i], first, last, at);
	return err;
}

/* Step 1's end: the new tree, and the inode as it will be. */
static int build(struct reshape *r, uint64_t size, uint32_t flags)
{
	struct ext4_fs *fs = r->ip->fs;
	uint64_t sectors;
	int err;

	r->image = *r->ip->raw;
	err = ext4_list_build(&r->new, ext4_goal(r->ip, 0), flags, &r->image);
	if (err)
		return err;
	sectors = ext4_raw_sectors(fs, r->ip->raw) - 8 * (r->old.blocks + r->old.nodes) +
		  8 * (r->new.blocks + r->new.nodes);
	ext4_set_sectors(fs, &r->image, sectors);
	r->image.i_size_lo = (uint32_t)size;
	r->image.i_size_hi = (uint32_t)(size >> 32);
	return 0;
}

/* Steps 3 and 4: the inode was committed, nobody reaches the old tree any more. */
static void settle(struct reshape *r)
{
	struct ext4_fs *fs = r->ip->fs;

	r->ip->size = ext4_raw_size(r->ip->raw);
	ext4_touch(r->ip);
	for (uint32_t i = 0; i < r->gone.n; i++) {
		const struct ext4_extent *e = &r->gone.rec[i];
		const struct ext4_run run = {.pblk = ext4_start(e), .count = ext4_len(e)};

		if (fs->env.freeing)
			fs->env.freeing(fs->env.ctx, r->ip, &run, 1);
		ext4_bfree_runs(fs, &run, 1);
	}
	ext4_list_drop_nodes(&r->old);
	/* Bits and counters are durable on return. */
	pm_fence(fs);
}

static int change_over(struct reshape *r, uint64_t size, uint32_t flags)
{
	int err = build(r, size, flags);

	if (err)
		return err;
	ext4_inode_commit(r->ip->fs, r->ip->ino, &r->image);
	settle(r);
	return 0;
}

static int check_blocks(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	if (!len || off % EXT4_BLOCK_SIZE || len % EXT4_BLOCK_SIZE)
		return ext4_fail(ip->fs, -EINVAL,
				 "offset %llu, length %llu: blocks are moved whole, give multiples "
				 "of %u, and at least one",
				 (unsigned long long)off, (unsigned long long)len, EXT4_BLOCK_SIZE);
	return ext4_check_write(ip, off, len);
}

int ext4_check_collapse(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	int err = check_blocks(ip, off, len);

	if (err || off + len < ip->size)
		return err;
	return ext4_fail(ip->fs, -EINVAL,
			 "offset %llu, length %llu reaches the end of the file (%llu bytes): "
			 "truncate cuts it off there",
			 (unsigned long long)off, (unsigned long long)len,
			 (unsigned long long)ip->size);
}

int ext4_collapse_range(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	uint64_t first = off / EXT4_BLOCK_SIZE, last = (off + len) / EXT4_BLOCK_SIZE;
	struct reshape r;
	int err = ext4_check_collapse(ip, off, len);

	if (!err)
		err = ext4_begin(ip->fs);
	if (err)
		return err;
	err = begin(&r, ip);
	if (!err)
		err = move(&r.new, &r, 0, first, 0);
	if (!err)
		err = move(&r.gone, &r, first, last, first);
	if (!err)
		err = move(&r.new, &r, last, EXT4_MAX_LBLK, first);
	if (!err)
		err = change_over(&r, ip->size - len, EXT4_ALLOC_POOL);
	end(&r);
	return err;
}

int ext4_check_insert(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	int err = check_blocks(ip, off, len);

	if (err)
		return err;
	if (off >= ip->size)
		return ext4_fail(ip->fs, -EINVAL,
				 "offset %llu is not below the end of the file (%llu bytes): "
				 "truncate extends it there",
				 (unsigned long long)off, (unsigned long long)ip->size);
	return ext4_check_write(ip, ip->size, len);
}

/* Would the last extent still have a block number, @by blocks higher? */
static int check_top(const struct reshape *r, uint64_t by)
{
	const struct ext4_extent *last = r->old.n ? &r->old.rec[r->old.n - 1] : NULL;

	if (!last || last->ee_block + (uint64_t)ext4_len(last) + by <= EXT4_MAX_LBLK)
		return 0;
	return ext4_fail(r->ip->fs, -EFBIG,
			 "block %u of the file would move beyond the largest block number",
			 (unsigned)last->ee_block);
}

int ext4_insert_range(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	uint64_t first = off / EXT4_BLOCK_SIZE, blocks = len / EXT4_BLOCK_SIZE;
	struct reshape r;
	int err = ext4_check_insert(ip, off, len);

	if (!err)
		err = ext4_begin(ip->fs);
	if (err)
		return err;
	err = begin(&r, ip);
	if (!err)
		err = check_top(&r, blocks);
	if (!err)
		err = move(&r.new, &r, 0, first, 0);
	if (!err)
		err = move(&r.new, &r, first, EXT4_MAX_LBLK, first + blocks);
	if (!err)
		err = change_over(&r, ip->size + len, 0);
	end(&r);
	return err;
}

/* ---- two files -------------------------------------------------------------------------- */

int ext4_check_exchange(struct ext4_inode *a, uint64_t off, struct ext4_inode *b, uint64_t at,
			uint64_t len)
{
	bool to_end = off + len == a->size && at + len == b->size;
	int err = ext4_check_write(a, off, len);

	if (!err)
		err = ext4_check_write(b, at, len);
	if (err)
		return err;
	if (a == b)
		return ext4_fail(a->fs, -EINVAL, "two files are needed, inode %u was given twice",
				 (unsigned)a->ino);
	if (!len || off % EXT4_BLOCK_SIZE || at % EXT4_BLOCK_SIZE ||
	    (len % EXT4_BLOCK_SIZE && !to_end))
		return ext4_fail(a->fs, -EINVAL,
				 "blocks change places whole: offsets and length must be multiples "
				 "of %u, or the length reaches exactly to the end of both files",
				 EXT4_BLOCK_SIZE);
	if (off + len > a->size || at + len > b->size)
		return ext4_fail(a->fs, -EINVAL,
				 "%llu bytes reach beyond the end of a file (%llu and %llu bytes)",
				 (unsigned long long)len, (unsigned long long)a->size,
				 (unsigned long long)b->size);
	if (a->fs->blocks >> 32)
		return ext4_fail(a->fs, -EOPNOTSUPP,
				 "exchange needs a device of less than 2^32 blocks (16 TiB)");
	return 0;
}

/* Both new trees and the block of the record; on failure none of them. */
static int build_both(struct reshape *r, uint64_t *record)
{
	uint32_t got;
	int err = build(&r[0], r[0].ip->size, 0);

	if (err)
		return err;
	err = build(&r[1], r[1].ip->size, 0);
	if (err)
		goto no_second;
	err = ext4_balloc(r->ip->fs, 0, 1, 0, record, &got);
	if (!err)
		return 0;
	ext4_list_drop_nodes(&r[1].new);
no_second:
	ext4_list_drop_nodes(&r[0].new);
	return err;
}

static int exchange(struct reshape *r)
{
	struct ext4_redo_pair pair = {.ino = {r[0].ip->ino, r[1].ip->ino}};
	struct ext4_fs *fs = r->ip->fs;
	uint64_t record;
	int err = build_both(r, &record);

	if (err)
		return err;
	pair.image[0] = r[0].image;
	pair.image[1] = r[1].image;
	ext4_pair_commit(fs, &pair, record);
	ext4_bfree(fs, record, 1);
	settle(&r[0]);
	settle(&r[1]);
	return 0;
}

/* The new state of @r: its own, but [first, first + n) as the other has it from @from on. */
static int swap_in(struct reshape *r, uint64_t first, const struct reshape *other, uint64_t from,
		   uint64_t n)
{
	int err = move(&r->new, r, 0, first, 0);

	if (!err)
		err = move(&r->new, other, from, from + n, first);
	return err ? err : move(&r->new, r, first + n, EXT4_MAX_LBLK, first + n);
}

int ext4_exchange_range(struct ext4_inode *a, uint64_t off, struct ext4_inode *b, uint64_t at,
			uint64_t len)
{
	uint64_t n = (len + EXT4_BLOCK_SIZE - 1) / EXT4_BLOCK_SIZE;
	uint64_t first = off / EXT4_BLOCK_SIZE, from = at / EXT4_BLOCK_SIZE;
	struct reshape r[2];
	int err = ext4_check_exchange(a, off, b, at, len);

	if (!err)
		err = ext4_begin(a->fs);
	if (err)
		return err;
	r[1] = (struct reshape){0};
	err = begin(&r[0], a);
	if (!err)
		err = begin(&r[1], b);
	if (!err)
		err = swap_in(&r[0], first, &r[1], from, n);
	if (!err)
		err = swap_in(&r[1], from, &r[0], first, n);
	if (!err)
		err = exchange(r);
	end(&r[0]);
	end(&r[1]);
	return err;
}
