/* SPDX-License-Identifier: MIT */
/*
 * Rename: the new name, then (for a directory) its "..", then the old name goes.
 *
 * Without a journal two directories cannot change in one step.  New before old, so that a cut
 * leaves both names or one, never none; repair then counts both as links of a file, and keeps
 * the first it finds of a directory.
 */
#include "dax/ext4/internal.h"

/* Is @dir the directory @ino or somewhere below it?  Climbs by "..", at most as many steps as
 * there are inodes. */
static int below(struct ext4_inode *dir, uint32_t ino, bool *yes)
{
	struct ext4_fs *fs = dir->fs;
	struct ext4_inode *up;
	int err = 0;

	*yes = false;
	ext4_ihold(dir);
	for (uint32_t i = 0; !err && i < fs->inodes && !*yes && dir->ino != EXT4_ROOT_INO; i++) {
		if (dir->ino == ino) {
			*yes = true;
			break;
		}
		err = ext4_lookup(dir, "..", &up);
		if (err)
			break;
		ext4_iput(dir);
		dir = up;
	}
	ext4_iput(dir);
	return err;
}

static void links_by(struct ext4_inode *dir, int delta)
{
	if (dir->links == 1)
		return; /* "too many to count" */
	ext4_store_links(dir, dir->links + (uint32_t)delta);
}

static int move_dotdot(struct ext4_inode *ip, struct ext4_inode *from, struct ext4_inode *to)
{
	struct ext4_slot slot;
	int err = ext4_dir_find(ip, "..", &slot);

	if (err)
		return err;
	pm_set32(ip->fs, &slot.de->inode, to->ino);
	links_by(from, -1);
	links_by(to, 1);
	/* ".." before the old name goes: afterwards only the new parent holds the directory. */
	pm_fence(ip->fs);
	return 0;
}

static int check_target(struct ext4_inode *ip, struct ext4_inode *to, const char *name)
{
	struct ext4_slot slot;
	bool inside = false;
	int err = ext4_name_check(to->fs, name);

	if (!err && !to->links)
		err = ext4_fail(to->fs, -ENOENT, "directory %u was removed", (unsigned)to->ino);
	if (!err && (ip->mode & EXT4_S_IFMT) == EXT4_S_IFDIR)
		err = below(to, ip->ino, &inside);
	if (err)
		return err;
	if (inside)
		return ext4_fail(to->fs, -EINVAL, "a directory cannot move into itself");
	err = ext4_dir_find(to, name, &slot);
	if (!err)
		return ext4_fail(to->fs, -EEXIST, "'%s' exists: remove it first", name);
	return err == -ENOENT ? ext4_begin(to->fs) : err;
}

static int move(struct ext4_inode *ip, struct ext4_inode *from, const char *name,
		struct ext4_inode *to, const char *to_name)
{
	bool dir = (ip->mode & EXT4_S_IFMT) == EXT4_S_IFDIR;
	struct ext4_slot slot;
	int err = ext4_dir_find(from, name, &slot);

	if (!err)
		err = ext4_dir_add(to, to_name, ip->ino, slot.de->file_type);
	if (!err && dir && from != to)
		err = move_dotdot(ip, from, to);
	if (!err) /* the new name may have split the old one's neighbour: look again */
		err = ext4_dir_find(from, name, &slot);
	if (err)
		return err;
	ext4_dir_remove(from, &slot);
	ext4_touch(from);
	ext4_touch(to);
	pm_fence(ip->fs);
	return 0;
}

int ext4_rename(struct ext4_inode *from, const char *name, struct ext4_inode *to,
		const char *to_name)
{
	struct ext4_inode *ip;
	int err = ext4_name_check(from->fs, name);

	if (!err)
		err = ext4_lookup(from, name, &ip);
	if (err)
		return err;
	err = ext4_may_unname(from, name, ip);
	if (!err)
		err = ext4_may(to, true);
	if (!err)
		err = check_target(ip, to, to_name);
	if (!err)
		err = move(ip, from, name, to, to_name);
	ext4_iput(ip);
	return err;
}
