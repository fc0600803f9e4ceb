/* SPDX-License-Identifier: MIT */
/*
 * Reading directories: blocks of variable-length entries, searched from front to back.
 *
 * An entry names an inode (0: the space is free) and is rec_len bytes long; the entries of a
 * block fill it exactly.  A hash-indexed directory reads the same way: its index blocks look
 * like free space.  Where the names of a large one are is kept in memory (names.c).  Every entry is
 * checked before it is used; a bad one is -EIO with a sentence.
 */
#include "dax/ext4/internal.h"

int ext4_name_check(struct ext4_fs *fs, const char *name)
{
	size_t n = strlen(name);

	if (!n)
		return ext4_fail(fs, -EINVAL, "the name is empty");
	if (n > EXT4_NAME_MAX)
		return ext4_fail(fs, -ENAMETOOLONG, "the name has %u bytes, up to 255 fit",
				 (unsigned)n);
	if (strchr(name, '/'))
		return ext4_fail(fs, -EINVAL, "the name '%s' contains '/'", name);
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return ext4_fail(fs, -EINVAL, "'%s' is in every directory and stays", name);
	return 0;
}

/*
 * The memory of directory block @lblk.  A directory has no holes and no unwritten blocks: names may
 * have been there, so neither is taken for an empty block.
 */
int ext4_dir_block(struct ext4_inode *dir, uint64_t lblk, uint8_t **block)
{
	struct ext4_map map;
	int err = ext4_lookup_extent(dir, lblk, &map);

	*block = NULL;
	if (!err && map.state != EXT4_WRITTEN)
		err = ext4_fail(dir->fs, -EIO,
				"directory %u: block %llu is %s; run `e2fsck -fy IMAGE`",
				(unsigned)dir->ino, (unsigned long long)lblk,
				map.state == EXT4_HOLE ? "missing" : "marked unwritten");
	if (!err)
		*block = ext4_block(dir->fs, map.pblk);
	return err;
}

struct ext4_dirent *ext4_dirent_at(struct ext4_inode *dir, uint8_t *block, uint32_t off)
{
	struct ext4_dirent *de = (struct ext4_dirent *)(void *)(block + off);
	uint32_t room = EXT4_BLOCK_SIZE - off;

	if (ext4_dirent_fits(de, room, dir->fs->inodes))
		return de;
	if (room < EXT4_DIRENT_HEAD)
		ext4_fail(dir->fs, -EIO,
			  "directory %u: entries overrun their block; run `e2fsck -fy IMAGE`",
			  (unsigned)dir->ino);
	else
		ext4_fail(dir->fs, -EIO,
			  "directory %u: entry at byte %u of its block is damaged (inode %u, %u "
			  "bytes, name %u); run `e2fsck -fy IMAGE`",
			  (unsigned)dir->ino, (unsigned)off, (unsigned)de->inode, de->rec_len,
			  de->name_len);
	return NULL;
}

/* 0 and *slot, -ENOENT, -EIO. */
int ext4_dir_find(struct ext4_inode *dir, const char *name, struct ext4_slot *slot)
{
	const size_t n = strlen(name);
	int err;

	if ((dir->mode & EXT4_S_IFMT) != EXT4_S_IFDIR)
		return ext4_fail(dir->fs, -ENOTDIR, "inode %u is not a directory",
				 (unsigned)dir->ino);
	if (n > EXT4_NAME_MAX)
		return ext4_fail(dir->fs, -ENAMETOOLONG, "the name has %u bytes, up to 255 fit",
				 (unsigned)n);
	err = ext4_names_find(dir, name, n, slot);
	return err == -ENOENT ? ext4_fail(dir->fs, err, "no '%s' in directory %u", name,
					  (unsigned)dir->ino)
			      : err;
}

int ext4_lookup(struct ext4_inode *dir, const char *name, struct ext4_inode **ip)
{
	struct ext4_slot slot;
	int err = ext4_dir_find(dir, name, &slot);

	if (err)
		return err;
	err = ext4_iget(dir->fs, slot.de->inode, ip);
	if (err == -ENOENT)
		return ext4_fail(dir->fs, -EIO,
				 "'%s' names inode %u, which is free; run `e2fsck -fy IMAGE`", name,
				 (unsigned)slot.de->inode);
	return err;
}

int ext4_readdir(struct ext4_inode *dir, uint64_t *pos, struct ext4_dirent_info *out)
{
	if ((dir->mode & EXT4_S_IFMT) != EXT4_S_IFDIR)
		return ext4_fail(dir->fs, -ENOTDIR, "inode %u is not a directory",
				 (unsigned)dir->ino);
	while (*pos < dir->size) {
		uint64_t lblk = *pos / EXT4_BLOCK_SIZE;
		uint32_t from = *pos % EXT4_BLOCK_SIZE;
		struct ext4_dirent *de;
		uint8_t *block;
		int err = ext4_dir_block(dir, lblk, &block);

		if (err)
			return err;
		/* Entries may have merged since the last call: walk again from the start. */
		for (uint32_t off = 0; block && off < EXT4_BLOCK_SIZE; off += de->rec_len) {
			de = ext4_dirent_at(dir, block, off);
			if (!de)
				return -EIO;
			if (off < from || !de->inode)
				continue;
			out->ino = de->inode;
			out->type = de->file_type;
			out->len = de->name_len;
			memcpy(out->name, de->name, de->name_len);
			out->name[de->name_len] = '\0';
			*pos = lblk * EXT4_BLOCK_SIZE + off + 1;
			return 1;
		}
		*pos = (lblk + 1) * EXT4_BLOCK_SIZE;
	}
	return 0;
}

/* Does @dir hold nothing but "." and ".."? */
int ext4_dir_empty(struct ext4_inode *dir, bool *empty)
{
	struct ext4_dirent_info info;
	uint64_t pos = 0;
	int got;

	*empty = true;
	while ((got = ext4_readdir(dir, &pos, &info)) == 1)
		if (strcmp(info.name, ".") && strcmp(info.name, ".."))
			*empty = false;
	return got;
}
