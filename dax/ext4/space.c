/* SPDX-License-Identifier: MIT */
/*
 * Holes and preallocation: zero a range, punch it out, back it with unwritten blocks.
 *
 * Partial blocks at the ends of a punched range stay in the file and are zeroed; only whole
 * blocks go.  fallocate needs no zeroes: an unwritten block reads as zero until it is filled.
 */
#include "dax/ext4/internal.h"

int ext4_zero_range(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	int err = ext4_may(ip, false);

	if (!err)
		err = ext4_zero_bytes(ip, off, len);
	if (err || !len)
		return err;
	ext4_touch(ip);
	pm_fence(ip->fs);
	return 0;
}

int ext4_zero_bytes(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	uint64_t end = off + len;
	int err = ext4_begin(ip->fs);

	while (!err && off < end) {
		uint64_t in = off % EXT4_BLOCK_SIZE, n;
		struct ext4_map map;

		err = ext4_lookup_extent(ip, off / EXT4_BLOCK_SIZE, &map);
		if (err)
			return err;
		n = (uint64_t)map.count * EXT4_BLOCK_SIZE - in;
		if (n > end - off)
			n = end - off;
		if (map.state == EXT4_WRITTEN) {
			uint8_t *mem = (uint8_t *)ext4_block(ip->fs, map.pblk) + in;

			memset(mem, 0, n);
			pm_wb(ip->fs, mem, n);
		}
		off += n;
	}
	/* Zeroes before whatever makes the range visible (a larger size). */
	pm_fence(ip->fs);
	return err;
}

static int check_range(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	uint64_t max = EXT4_MAX_LBLK * EXT4_BLOCK_SIZE;

	if ((ip->mode & EXT4_S_IFMT) != EXT4_S_IFREG)
		return ext4_fail(ip->fs, -EINVAL, "inode %u is not a regular file",
				 (unsigned)ip->ino);
	if (!len)
		return ext4_fail(ip->fs, -EINVAL, "length is 0: give it at least one byte");
	if (off > max || len > max - off)
		return ext4_fail(ip->fs, -EFBIG, "offset %llu + %llu is beyond the largest file",
				 (unsigned long long)off, (unsigned long long)len);
	if (!ext4_has(ip->fs, RO_LARGE_FILE) && off + len > INT32_MAX)
		return ext4_fail(ip->fs, -EFBIG, "feature large_file is off: files end at 2 GiB");
	return 0;
}

int ext4_punch_hole(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	uint64_t end, first, last;
	int err = check_range(ip, off, len);

	if (!err)
		err = ext4_may(ip, false);
	if (err)
		return err;
	end = off + len;
	first = (off + EXT4_BLOCK_SIZE - 1) / EXT4_BLOCK_SIZE;
	last = end / EXT4_BLOCK_SIZE;
	if (first > last) /* within one block */
		return ext4_zero_range(ip, off, len);
	if (off % EXT4_BLOCK_SIZE)
		err = ext4_zero_range(ip, off, first * EXT4_BLOCK_SIZE - off);
	if (!err && end % EXT4_BLOCK_SIZE)
		err = ext4_zero_range(ip, last * EXT4_BLOCK_SIZE, end % EXT4_BLOCK_SIZE);
	if (!err && first < last)
		err = ext4_free_blocks(ip, first, last);
	return err;
}

/* Blocks that fallocate has taken and that no extent has yet: @n at @pblk for @lblk. */
struct taken {
	struct ext4_inode *ip;
	uint64_t lblk, pblk;
	uint32_t n;
};

/* What one unwritten record holds; at 2 MiB of the file whole 2 MiB, so that the next one is too.
 */
static uint32_t record_max(uint64_t lblk)
{
	uint32_t max = EXT4_EXT_MAX_LEN - 1;

	return lblk % 512 ? max : max / 512 * 512;
}

/* The first record's worth of the taken blocks becomes an extent. */
static int insert_some(struct taken *t)
{
	uint32_t max = record_max(t->lblk), n = t->n < max ? t->n : max;
	int err = ext4_insert(t->ip, (uint32_t)t->lblk, t->pblk, n, true);

	if (err)
		return err;
	t->lblk += n;
	t->pblk += n;
	t->n -= n;
	return 0;
}

/* The taken blocks become extents; `more`: but for a rest that a run behind it may still extend.
 * After a failure none is taken. */
static int insert_taken(struct taken *t, bool more)
{
	int err = 0;

	while (!err && t->n && (!more || t->n >= record_max(t->lblk)))
		err = insert_some(t);
	if (err)
		ext4_bfree(t->ip->fs, t->pblk, t->n);
	if (err)
		t->n = 0;
	return err;
}

/* One more run of the allocator's, which ends with its group at the latest. */
static int take_run(struct taken *t, uint64_t end)
{
	uint64_t at = t->lblk + t->n, goal = t->n ? t->pblk + t->n : ext4_goal(t->ip, at), pblk;
	uint32_t got, flags = at % 512 ? 0 : EXT4_ALLOC_ALIGN;
	int err = ext4_balloc(t->ip->fs, goal, (uint32_t)(end - at), flags, &pblk, &got);

	if (err)
		return err;
	if (t->n && pblk != goal)
		err = insert_taken(t, false);
	if (err) {
		ext4_bfree(t->ip->fs, pblk, got);
		return err;
	}
	if (!t->n)
		t->pblk = pblk;
	t->n += got;
	return insert_taken(t, true);
}

/* Unwritten blocks for the hole [lblk, end): runs that touch become extents as long as a record can
 * be.  -ENOSPC leaves what was allocated so far. */
static int fill_hole(struct ext4_inode *ip, uint64_t lblk, uint64_t end)
{
	struct taken t = {.ip = ip, .lblk = lblk};
	int err = 0, last;

	while (!err && t.lblk + t.n < end)
		err = take_run(&t, end);
	last = insert_taken(&t, false);
	return err ? err : last;
}

/* Answers for [lblk, *next), as far as it is alike: a hole gets blocks. */
static int reserve_some(struct ext4_inode *ip, uint64_t lblk, uint64_t end, uint64_t *next)
{
	struct ext4_map map;
	int err = ext4_lookup_extent(ip, lblk, &map);

	if (err)
		return err;
	*next = map.count < end - lblk ? lblk + map.count : end;
	return map.state == EXT4_HOLE ? fill_hole(ip, lblk, *next) : 0;
}

int ext4_fallocate(struct ext4_inode *ip, uint64_t off, uint64_t len, uint32_t flags)
{
	uint64_t lblk, last;
	int err = check_range(ip, off, len);

	if (!err)
		err = ext4_may(ip, true);
	if (!err)
		err = ext4_begin(ip->fs);
	if (err)
		return err;
	lblk = off / EXT4_BLOCK_SIZE;
	last = (off + len + EXT4_BLOCK_SIZE - 1) / EXT4_BLOCK_SIZE;
	while (!err && lblk < last)
		err = reserve_some(ip, lblk, last, &lblk);
	if (!err && !(flags & EXT4_FALLOC_KEEP_SIZE) && off + len > ip->size)
		err = ext4_put_size(ip, off + len);
	ext4_touch(ip);
	pm_fence(ip->fs);
	return err;
}
