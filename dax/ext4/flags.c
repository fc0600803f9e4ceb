/* SPDX-License-Identifier: MIT */
/*
 * What the flags of a file allow: one place that decides, for every operation.
 *
 * There are two kinds of change.  One only adds: bytes behind the end, blocks where a hole is, a
 * name in a directory.  The other alters or takes away what is there: bytes, blocks, a name, the
 * file itself.  An immutable file allows neither, an append-only one the first.  The same holds for
 * a directory and its names; and to lose a name is a change of the file that has it.
 *
 * The flags are asked without the lock of the file system, while another operation may write the
 * inode on the device over: so they are those that it had when it was opened.
 */
#include "dax/ext4/internal.h"

const char *ext4_forbids(const struct ext4_inode *ip, bool adds)
{
	if (ip->flags & EXT4_IMMUTABLE_FL)
		return "immutable: `chattr -i` on the host takes that away";
	if ((ip->flags & EXT4_APPEND_FL) && !adds)
		return "append-only: `chattr -a` on the host takes that away";
	return NULL;
}

int ext4_may(struct ext4_inode *ip, bool adds)
{
	const char *why = ext4_forbids(ip, adds);

	return why ? ext4_fail(ip->fs, -EPERM, "inode %u is %s", (unsigned)ip->ino, why) : 0;
}

int ext4_may_unname(struct ext4_inode *dir, const char *name, struct ext4_inode *ip)
{
	int err = ext4_may(dir, false);

	if (!err)
		err = ext4_may(ip, false);
	if (err || dir->ino != EXT4_ROOT_INO || strcmp(name, "lost+found") ||
	    (ip->mode & EXT4_S_IFMT) != EXT4_S_IFDIR)
		return err;
	return ext4_fail(dir->fs, -EBUSY,
			 "'lost+found' stays: fsck and repair put there what has lost its name");
}
