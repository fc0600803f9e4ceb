/* SPDX-License-Identifier: MIT */
/*
 * Zero range: a range reads as zeroes and stays allocated, without writing zeroes to all of it.
 *
 * Whole blocks that are written become unwritten, extent by extent, each in one step (ext4_splice);
 * holes get unwritten blocks first, so that running out of space changes nothing that can be read;
 * partial blocks at the ends are zeroed. A cut leaves some extents zeroed and the rest as it was,
 * as a cut of a write would. No block changes its owner, so no order between them matters.
 */
#include "dax/ext4/internal.h"

/* The first blocks of [lblk, end) that are alike, *n of them: written ones become unwritten. */
static int unwrite_some(struct ext4_inode *ip, uint64_t lblk, uint64_t end, uint32_t *n)
{
	struct ext4_map map;
	int err = ext4_lookup_extent(ip, lblk, &map);

	if (err)
		return err;
	*n = map.count < end - lblk ? map.count : (uint32_t)(end - lblk);
	if (map.state != EXT4_WRITTEN)
		return 0;
	if (*n > EXT4_EXT_MAX_LEN - 1) /* what one unwritten record holds */
		*n = EXT4_EXT_MAX_LEN - 1;
	err = ext4_mark_unwritten(ip, (uint32_t)lblk, *n);
	if (err == -ENOSPC || err == -ENOMEM) /* no block to split the tree: zeroes in place */
		err = ext4_zero_range(ip, lblk * EXT4_BLOCK_SIZE, (uint64_t)*n * EXT4_BLOCK_SIZE);
	return err;
}

int ext4_make_unwritten(struct ext4_inode *ip, uint64_t first, uint64_t end)
{
	uint32_t n = 0;
	int err = ext4_check_write(ip, first * EXT4_BLOCK_SIZE, 0);

	if (!err)
		err = ext4_begin(ip->fs);
	if (err)
		return err;
	for (uint64_t at = first; !err && at < end; at += n)
		err = unwrite_some(ip, at, end, &n);
	ext4_touch(ip);
	/* Kinds and times are durable on return. */
	pm_fence(ip->fs);
	return err;
}

int ext4_zero_blocks(struct ext4_inode *ip, uint64_t off, uint64_t len, uint32_t flags)
{
	uint64_t last = off + len, first, end;
	/* Holes first, and the arguments: what cannot be done is refused before the first zero. */
	int err = ext4_may(ip, false);

	if (!err)
		err = ext4_fallocate(ip, off, len, EXT4_FALLOC_KEEP_SIZE);
	if (err)
		return err;
	first = (off + EXT4_BLOCK_SIZE - 1) / EXT4_BLOCK_SIZE;
	end = last / EXT4_BLOCK_SIZE;
	if (first > end) /* within one block */
		err = ext4_zero_range(ip, off, len);
	else
		err = ext4_zero_range(ip, off, first * EXT4_BLOCK_SIZE - off);
	if (!err && first <= end)
		err = ext4_zero_range(ip, end * EXT4_BLOCK_SIZE, last % EXT4_BLOCK_SIZE);
	if (!err && first < end)
		err = ext4_make_unwritten(ip, first, end);
	if (!err && !(flags & EXT4_FALLOC_KEEP_SIZE) && last > ip->size)
		err = ext4_set_size(ip, last);
	return err;
}
