/* SPDX-License-Identifier: MIT */
/*
 * Inodes in core, and how one field of an inode changes on the device.
 *
 * A field of 8 bytes or less is changed by one store (pm_set*); what spans more goes through the
 * write-ahead images of redo.c.
 */
#include "dax/ext4/internal.h"

/* Where inode @ino lies; the caller has checked 1 <= ino <= fs->inodes. */
struct ext4_disk_inode *ext4_raw(const struct ext4_fs *fs, uint32_t ino)
{
	uint32_t g = (ino - 1) / fs->inodes_per_group, index = (ino - 1) % fs->inodes_per_group;
	uint8_t *table = ext4_block(fs, fs->group[g].inode_table);

	return (struct ext4_disk_inode *)(table + (size_t)index * fs->inode_size);
}

uint64_t ext4_raw_size(const struct ext4_disk_inode *raw)
{
	uint64_t size = raw->i_size_lo;

	if ((raw->i_mode & EXT4_S_IFMT) == EXT4_S_IFREG)
		size |= (uint64_t)raw->i_size_hi << 32;
	return size;
}

/* Does i_block hold an extent tree?  (Not in short symbolic links and special files.) */
bool ext4_has_tree(const struct ext4_disk_inode *raw)
{
	return raw->i_flags & EXT4_EXTENTS_FL;
}

uint64_t ext4_raw_xattr(const struct ext4_disk_inode *raw)
{
	return raw->i_file_acl_lo | (uint64_t)raw->i_file_acl_hi << 32;
}

static int check_raw(struct ext4_fs *fs, uint32_t ino, const struct ext4_disk_inode *raw)
{
	uint32_t type = raw->i_mode & EXT4_S_IFMT;
	bool mapped = type == EXT4_S_IFREG || type == EXT4_S_IFDIR;

	if (!raw->i_links_count || !raw->i_mode)
		return ext4_fail(fs, -ENOENT, "inode %u is free", (unsigned)ino);
	if (raw->i_flags & EXT4_INLINE_FL)
		return ext4_fail(fs, -EIO, "inode %u keeps inline data; run `e2fsck -fy IMAGE`",
				 (unsigned)ino);
	if (mapped && !ext4_has_tree(raw))
		return ext4_fail(fs, -EOPNOTSUPP,
				 "inode %u is mapped by indirect blocks: copy it on an ext4 "
				 "system (`cp`) to get extents",
				 (unsigned)ino);
	if (type == EXT4_S_IFDIR && (raw->i_size_lo % EXT4_BLOCK_SIZE || !raw->i_size_lo))
		return ext4_fail(
			fs, -EIO,
			"directory %u: size %u is not whole blocks; run `e2fsck -fy IMAGE`",
			(unsigned)ino, (unsigned)raw->i_size_lo);
	if (ext4_raw_size(raw) > EXT4_MAX_LBLK * EXT4_BLOCK_SIZE)
		return ext4_fail(fs, -EIO, "inode %u: size %llu is beyond the last block number",
				 (unsigned)ino, (unsigned long long)ext4_raw_size(raw));
	return 0;
}

int ext4_iget(struct ext4_fs *fs, uint32_t ino, struct ext4_inode **out)
{
	struct ext4_inode *ip = ext4_held(fs, ino);
	struct ext4_disk_inode *raw;
	int err;

	if (ip) {
		ip->refs++;
		*out = ip;
		return 0;
	}
	if (ino < 1 || ino > fs->inodes)
		return ext4_fail(fs, -ENOENT, "inode %u: the device has 1 to %u", (unsigned)ino,
				 (unsigned)fs->inodes);
	if (ino < fs->first_ino && ino != EXT4_ROOT_INO)
		return ext4_fail(fs, -EIO,
				 "inode %u is reserved: no name leads to it; run "
				 "`e2fsck -fy IMAGE`",
				 (unsigned)ino);
	raw = ext4_raw(fs, ino);
	err = check_raw(fs, ino, raw);
	if (err)
		return err;
	ip = ext4_held_new(fs);
	if (!ip)
		return ext4_fail(fs, -ENOMEM, "no memory for inode %u", (unsigned)ino);
	*ip = (struct ext4_inode){.fs = fs,
				  .ino = ino,
				  .refs = 1,
				  .mode = raw->i_mode,
				  .flags = (uint16_t)raw->i_flags,
				  .links = raw->i_links_count,
				  .size = ext4_raw_size(raw),
				  .raw = raw};
	ext4_held_add(ip);
	*out = ip;
	return 0;
}

void ext4_ihold(struct ext4_inode *ip)
{
	ip->refs++;
}

bool ext4_iput(struct ext4_inode *ip)
{
	if (--ip->refs)
		return false;
	ext4_held_remove(ip);
	if (!ip->links) {
		ip->fs->dying++;
		return true;
	}
	ext4_held_free(ip);
	return false;
}

/* i_blocks in sectors of 512 bytes, whatever unit the inode uses. */
uint64_t ext4_raw_sectors(const struct ext4_fs *fs, const struct ext4_disk_inode *raw)
{
	uint64_t n = raw->i_blocks_lo;

	if (!ext4_has(fs, RO_HUGE_FILE))
		return n;
	n |= (uint64_t)raw->i_blocks_hi << 32;
	return raw->i_flags & EXT4_HUGE_FILE_FL ? n * 8 : n;
}

/* The same in the other direction, into @raw, which may be an image: not written back. */
void ext4_set_sectors(const struct ext4_fs *fs, struct ext4_disk_inode *raw, uint64_t sectors)
{
	if (raw->i_flags & EXT4_HUGE_FILE_FL)
		sectors /= 8;
	raw->i_blocks_lo = (uint32_t)sectors;
	if (ext4_has(fs, RO_HUGE_FILE))
		raw->i_blocks_hi = (uint16_t)(sectors >> 32);
}

void ext4_put_sectors(struct ext4_fs *fs, struct ext4_disk_inode *raw, uint64_t sectors)
{
	ext4_set_sectors(fs, raw, sectors);
	pm_wb(fs, raw, sizeof(*raw));
}

/* The file gained (or lost) @blocks.  A counter: written back, fenced with what comes next. */
void ext4_add_blocks(struct ext4_inode *ip, int64_t blocks)
{
	uint64_t n = ext4_raw_sectors(ip->fs, ip->raw);

	ext4_put_sectors(ip->fs, ip->raw, n + (uint64_t)(blocks * 8));
}

/* What a stamp has changed, and so has to be written back. */
#define CHANGED_TIMES 1u /* the three words in the first 128 bytes */
#define CHANGED_EXTRA 2u

static bool set_word(uint32_t *word, uint32_t v)
{
	bool other = *word != v;

	if (other)
		*word = v;
	return other;
}

/* Set one time, in @time and @more, to @now; @extra lies in the inode, but perhaps behind what
 * i_extra_isize covers.  CHANGED_TIMES stands for @time, CHANGED_EXTRA for @more: a second may see
 * many changes of a file, and the first alone writes. */
static inline unsigned set_time(struct ext4_disk_extra *extra, uint32_t now, uint32_t *time,
				uint32_t *more)
{
	bool room = extra && (uint8_t *)(more + 1) - (uint8_t *)extra <= extra->i_extra_isize;
	unsigned changed = 0;

	/* From 2038 on the seconds are negative and the epoch is 1; without epoch time stands
	 * still, else it would start again in 1901. */
	if (set_word(time, room || now <= INT32_MAX ? now : INT32_MAX))
		changed = CHANGED_TIMES;
	if (room && set_word(more, now >> 31))
		changed |= CHANGED_EXTRA;
	return changed;
}

static void stamp(struct ext4_fs *fs, struct ext4_disk_inode *raw, unsigned which, uint32_t now)
{
	static struct ext4_disk_extra nowhere; /* never written: no room there */
	struct ext4_disk_extra *extra = fs->inode_size > sizeof(*raw) ? (void *)(raw + 1) : NULL;
	struct ext4_disk_extra *place = extra ? extra : &nowhere;
	unsigned changed = 0;

	if (which & EXT4_CTIME)
		changed |= set_time(extra, now, &raw->i_ctime, &place->i_ctime_extra);
	if (which & EXT4_MTIME)
		changed |= set_time(extra, now, &raw->i_mtime, &place->i_mtime_extra);
	if (which & EXT4_ATIME)
		changed |= set_time(extra, now, &raw->i_atime, &place->i_atime_extra);
	if ((which & EXT4_ATIME) && extra && extra->i_extra_isize >= sizeof(*extra) &&
	    set_time(extra, now, &extra->i_crtime, &extra->i_crtime_extra))
		changed |= CHANGED_EXTRA; /* where this time's own word lies, too */
	if (changed & CHANGED_TIMES)
		pm_wb(fs, &raw->i_atime, 12);
	if (changed & CHANGED_EXTRA)
		pm_wb(fs, extra, sizeof(*extra));
}

void ext4_stamp(struct ext4_fs *fs, struct ext4_disk_inode *raw, unsigned which)
{
	stamp(fs, raw, which, ext4_now(fs));
}

int ext4_stored(struct ext4_inode *ip, uint32_t when)
{
	int err;

	if (when <= ip->raw->i_mtime) /* somebody has changed it since */
		return 0;
	err = ext4_begin(ip->fs);
	if (err)
		return err;
	stamp(ip->fs, ip->raw, EXT4_MTIME | EXT4_CTIME, when);
	pm_fence(ip->fs);
	return 0;
}

uint32_t ext4_mtime(const struct ext4_inode *ip)
{
	return ip->raw->i_mtime;
}

/* Contents changed: new mtime and ctime. */
void ext4_touch(struct ext4_inode *ip)
{
	ext4_stamp(ip->fs, ip->raw, EXT4_MTIME | EXT4_CTIME);
}

/* The size, in one atomic step; durable on return. */
void ext4_store_size(struct ext4_inode *ip, uint64_t size)
{
	struct ext4_disk_inode image;

	if (ip->raw->i_size_hi == (uint32_t)(size >> 32)) {
		pm_set32(ip->fs, &ip->raw->i_size_lo, (uint32_t)size);
		pm_fence(ip->fs);
	} else {
		image = *ip->raw;
		image.i_size_lo = (uint32_t)size;
		image.i_size_hi = (uint32_t)(size >> 32);
		ext4_inode_commit(ip->fs, ip->ino, &image);
	}
	ip->size = size;
}

/* The link count; the caller fences. */
void ext4_store_links(struct ext4_inode *ip, uint32_t links)
{
	pm_set16(ip->fs, &ip->raw->i_links_count, (uint16_t)links);
	ip->links = links;
}
