/* SPDX-License-Identifier: MIT */
/*
 * File contents: read, write, map.
 *
 * Where the bytes already have a written block they are copied in place.  Everywhere else the
 * order is: take blocks, fill them (data, zeroes around it), write back, then link them
 * (ext4_insert, ext4_mark_written: both fence first), and the size last.  Contents before link,
 * else a cut shows another file's old bytes; link before size, else it shows a hole where the
 * size promises data.
 */
#include "dax/ext4/internal.h"

/* A write in progress: bytes [off, off + len) of the file come from buf. */
struct span {
	uint64_t off, len;
	const uint8_t *buf;
};

static void copy_data(struct ext4_fs *fs, void *dst, const void *src, size_t n)
{
	if (fs->env.copy)
		fs->env.copy(dst, src, n);
	else
		memcpy(dst, src, n);
}

int64_t ext4_read(struct ext4_inode *ip, uint64_t off, void *buf, uint64_t len)
{
	uint64_t done = 0;

	if ((ip->mode & EXT4_S_IFMT) == EXT4_S_IFDIR)
		return ext4_fail(ip->fs, -EISDIR, "inode %u is a directory: list it with readdir",
				 (unsigned)ip->ino);
	if (!ext4_has_tree(ip->raw))
		return ext4_fail(ip->fs, -EINVAL, "inode %u keeps no data in blocks",
				 (unsigned)ip->ino);
	if (off >= ip->size)
		return 0;
	if (len > ip->size - off)
		len = ip->size - off;
	while (done < len) {
		uint64_t pos = off + done, in = pos % EXT4_BLOCK_SIZE, n;
		struct ext4_map map;
		int err = ext4_lookup_extent(ip, pos / EXT4_BLOCK_SIZE, &map);

		if (err)
			return done ? (int64_t)done : err;
		n = (uint64_t)map.count * EXT4_BLOCK_SIZE - in;
		if (n > len - done)
			n = len - done;
		if (map.state == EXT4_WRITTEN)
			copy_data(ip->fs, (uint8_t *)buf + done,
				  (uint8_t *)ext4_block(ip->fs, map.pblk) + in, n);
		else
			memset((uint8_t *)buf + done, 0, n);
		done += n;
	}
	return (int64_t)done;
}

static int check_span(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	uint64_t max = EXT4_MAX_LBLK * EXT4_BLOCK_SIZE;

	if ((ip->mode & EXT4_S_IFMT) == EXT4_S_IFDIR)
		return ext4_fail(ip->fs, -EISDIR, "inode %u is a directory", (unsigned)ip->ino);
	if ((ip->mode & EXT4_S_IFMT) != EXT4_S_IFREG)
		return ext4_fail(ip->fs, -EINVAL, "inode %u is not a regular file",
				 (unsigned)ip->ino);
	if (off < INT32_MAX && len <= INT32_MAX - off) /* nearly always */
		return 0;
	if (!ext4_has(ip->fs, RO_LARGE_FILE))
		max = INT32_MAX;
	if (off > max || len > max - off)
		return ext4_fail(ip->fs, -EFBIG,
				 "offset %llu + %llu is beyond the largest file, %llu "
				 "bytes",
				 (unsigned long long)off, (unsigned long long)len,
				 (unsigned long long)max);
	return 0;
}

int ext4_check_write(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	int err = check_span(ip, off, len);

	return err ? err : ext4_may(ip, false);
}

/* Zero the bytes between the old end and @upto that lie in the last, partial block (F-6). */
static int zero_tail(struct ext4_inode *ip, uint64_t upto)
{
	uint64_t end = (ip->size + EXT4_BLOCK_SIZE - 1) / EXT4_BLOCK_SIZE * EXT4_BLOCK_SIZE;

	if (upto > end)
		upto = end;
	if (ip->size >= upto ||
	    (ip->fs->env.museum && ip->fs->env.museum(ip->fs->env.ctx, EXT4_ZERO_ONCE)))
		return 0;
	return ext4_zero_bytes(ip, ip->size, upto - ip->size);
}

/* Fill fresh blocks: the bytes of @s that fall into them, zeroes elsewhere.  Written back. */
static void fill(struct ext4_inode *ip, uint64_t lblk, uint64_t pblk, uint32_t count,
		 const struct span *s)
{
	uint8_t *mem = ext4_block(ip->fs, pblk);
	uint64_t from = lblk * EXT4_BLOCK_SIZE, size = (uint64_t)count * EXT4_BLOCK_SIZE;
	uint64_t head = s->off > from ? s->off - from : 0;
	uint64_t skip = s->off > from ? 0 : from - s->off;
	uint64_t n = s->len > skip ? s->len - skip : 0;

	if (!n)
		head = 0;
	if (n > size - head)
		n = size - head;
	memset(mem, 0, head);
	if (n)
		copy_data(ip->fs, mem + head, s->buf + skip, n);
	memset(mem + head + n, 0, size - head - n);
	pm_wb(ip->fs, mem, size);
}

/* Blocks for a hole of @map->count blocks, filled from @s, then linked. */
static int fill_hole(struct ext4_inode *ip, struct ext4_map *map, const struct span *s)
{
	uint32_t flags = map->lblk % 512 == 0 ? EXT4_ALLOC_ALIGN : 0;
	uint32_t want = map->count < EXT4_EXT_MAX_LEN ? map->count : EXT4_EXT_MAX_LEN;
	int err =
		ext4_balloc(ip->fs, ext4_goal(ip, map->lblk), want, flags, &map->pblk, &map->count);

	if (err)
		return err;
	fill(ip, map->lblk, map->pblk, map->count, s);
	err = ext4_insert(ip, (uint32_t)map->lblk, map->pblk, map->count, false);
	if (err)
		ext4_bfree(ip->fs, map->pblk, map->count);
	return err;
}

/* Unwritten blocks get contents, then become written. */
static int fill_unwritten(struct ext4_inode *ip, struct ext4_map *map, const struct span *s)
{
	fill(ip, map->lblk, map->pblk, map->count, s);
	return ext4_mark_written(ip, (uint32_t)map->lblk, map->count);
}

/* Write the first bytes of @s, as many as one extent takes; *n of them. */
static int write_some(struct ext4_inode *ip, const struct span *s, uint64_t *n)
{
	uint64_t in = s->off % EXT4_BLOCK_SIZE, room;
	uint64_t blocks = (in + s->len + EXT4_BLOCK_SIZE - 1) / EXT4_BLOCK_SIZE;
	struct ext4_map map;
	int err = ext4_lookup_extent(ip, s->off / EXT4_BLOCK_SIZE, &map);

	if (err)
		return err;
	if (map.count > blocks)
		map.count = (uint32_t)blocks;
	if (map.state == EXT4_HOLE)
		err = fill_hole(ip, &map, s);
	else if (map.state == EXT4_UNWRITTEN)
		err = fill_unwritten(ip, &map, s);
	room = (uint64_t)map.count * EXT4_BLOCK_SIZE - in;
	*n = room < s->len ? room : s->len;
	if (!err && map.state == EXT4_WRITTEN) {
		uint8_t *dst = (uint8_t *)ext4_block(ip->fs, map.pblk) + in;

		copy_data(ip->fs, dst, s->buf, *n);
		pm_wb(ip->fs, dst, *n);
	}
	return err;
}

int64_t ext4_write(struct ext4_inode *ip, uint64_t off, const void *buf, uint64_t len)
{
	uint64_t done = 0;
	int err = check_span(ip, off, len);

	if (!err)
		err = ext4_may(ip, off >= ip->size);
	if (!err)
		err = ext4_begin(ip->fs);
	if (!err && off > ip->size)
		err = zero_tail(ip, off);
	while (!err && done < len) {
		struct span s = {off + done, len - done, (const uint8_t *)buf + done};
		uint64_t n;

		err = write_some(ip, &s, &n);
		if (!err)
			done += n;
	}
	if (done)
		ext4_touch(ip);
	if (done && off + done > ip->size) {
		/* Bytes in the old last block before the size, else a cut shows stale ones. */
		pm_fence(ip->fs);
		ext4_store_size(ip, off + done);
	}
	return done ? (int64_t)done : err;
}

static int make_written(struct ext4_inode *ip, struct ext4_map *map)
{
	static const struct span zeroes; /* no bytes: all of the block is zeroed */
	uint64_t end = (ip->size + EXT4_BLOCK_SIZE - 1) / EXT4_BLOCK_SIZE;
	int err;

	if (map->lblk >= end)
		return ext4_fail(ip->fs, -EINVAL,
				 "block %llu lies behind the end of the file (%llu bytes): extend "
				 "it first",
				 (unsigned long long)map->lblk, (unsigned long long)ip->size);
	if (map->count > end - map->lblk)
		map->count = (uint32_t)(end - map->lblk);
	err = ext4_begin(ip->fs);
	if (!err && map->state == EXT4_HOLE)
		err = fill_hole(ip, map, &zeroes);
	else if (!err)
		err = fill_unwritten(ip, map, &zeroes);
	if (err)
		return err;
	map->state = EXT4_WRITTEN;
	map->fresh = true;
	ext4_touch(ip);
	pm_fence(ip->fs);
	return 0;
}

int ext4_map_blocks(struct ext4_inode *ip, uint64_t lblk, uint32_t want, uint32_t flags,
		    struct ext4_map *map)
{
	int err;

	if (!want)
		return ext4_fail(ip->fs, -EINVAL, "a mapping of zero blocks was asked for");
	if (!ext4_has_tree(ip->raw))
		return ext4_fail(ip->fs, -EINVAL, "inode %u keeps no data in blocks",
				 (unsigned)ip->ino);
	err = ext4_lookup_extent(ip, lblk, map);
	if (err)
		return err;
	if (map->count > want)
		map->count = want;
	if (!(flags & EXT4_MAP_CREATE) || map->state == EXT4_WRITTEN)
		return 0;
	err = ext4_check_write(ip, 0, 0);
	return err ? err : make_written(ip, map);
}

int ext4_set_size(struct ext4_inode *ip, uint64_t size)
{
	int err = ext4_check_write(ip, size, 0);

	return err ? err : ext4_put_size(ip, size);
}

int ext4_put_size(struct ext4_inode *ip, uint64_t size)
{
	uint64_t old = ip->size;
	int err = ext4_begin(ip->fs);

	if (!err && size > old)
		err = zero_tail(ip, size); /* zeroes before size, else a cut shows stale bytes */
	if (err)
		return err;
	if (size != old)
		ext4_store_size(ip, size);
	ext4_touch(ip);
	pm_fence(ip->fs);
	/* Size before zeroes here: a cut must not have eaten bytes the old size still shows. */
	if (size < old && size % EXT4_BLOCK_SIZE)
		err = ext4_zero_bytes(ip, size, EXT4_BLOCK_SIZE - size % EXT4_BLOCK_SIZE);
	return err;
}

int ext4_truncate(struct ext4_inode *ip, uint64_t size)
{
	uint64_t first = (size + EXT4_BLOCK_SIZE - 1) / EXT4_BLOCK_SIZE;
	bool shrinks = size <= ip->size;
	int err = ext4_set_size(ip, size);

	if (!err && shrinks)
		err = ext4_free_blocks(ip, first, EXT4_TO_END);
	return err;
}

int ext4_fsync(struct ext4_inode *ip)
{
	pm_fence(ip->fs);
	return 0;
}
