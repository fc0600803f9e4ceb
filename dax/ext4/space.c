/* SPDX-License-Identifier: MIT */
/*
 * Holes and preallocation: zero a range, punch it out, back it with unwritten blocks.
 *
 * Partial blocks at the ends of a punched range stay in the file and are zeroed; only whole
 * blocks go.  fallocate needs no zeroes: an unwritten block reads as zero until it is filled.
 */
#include "dax/ext4/priv.h"

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

/* Unwritten blocks for the hole at @lblk, at most @want; *n: how far the answer reaches. */
static int reserve_some(struct ext4_inode *ip, uint64_t lblk, uint64_t want, uint32_t *n)
{
	uint32_t flags = lblk % 512 == 0 ? EXT4_ALLOC_ALIGN : 0;
	uint32_t max = EXT4_EXT_MAX_LEN - 1; /* what one unwritten record holds */
	struct ext4_map map;
	int err = ext4_lookup_extent(ip, lblk, &map);

	if (err)
		return err;
	*n = map.count < want ? map.count : (uint32_t)want;
	if (map.state != EXT4_HOLE)
		return 0;
	err = ext4_balloc(ip->fs, ext4_goal(ip, lblk), *n < max ? *n : max, flags, &map.pblk, n);
	if (err)
		return err;
	err = ext4_insert(ip, (uint32_t)lblk, map.pblk, *n, true);
	if (err)
		ext4_bfree(ip->fs, map.pblk, *n);
	return err;
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
	while (!err && lblk < last) {
		uint32_t n = 0;

		err = reserve_some(ip, lblk, last - lblk, &n);
		lblk += n;
	}
	if (!err && !(flags & EXT4_FALLOC_KEEP_SIZE) && off + len > ip->size)
		err = ext4_put_size(ip, off + len);
	ext4_touch(ip);
	pm_fence(ip->fs);
	return err;
}
