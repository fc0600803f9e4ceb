/* SPDX-License-Identifier: MIT */
/*
 * Names: what changes directories. Unlinking takes only the name; blocks go with the last user.
 */
#include "dax/internal.h"

/* Runs `op` on the directory of `path` and the last name, under the file layer's lock. */
static int with_parent(const char *path,
		       int (*op)(struct dax_fs *fs, struct ext4_inode *dir, const char *name,
				 void *arg),
		       void *arg)
{
	const char *rest;
	struct dax_fs *fs = dax_fs_find(path, &rest);
	char last[EXT4_NAME_MAX + 1];
	struct ext4_inode *dir;
	int err;

	if (!fs)
		return -ENOENT;
	err = ext4_walk_parent(fs->ext4, rest, &dir, last);
	if (!err) {
		err = op(fs, dir, last, arg);
		ext4_iput(dir);
	}
	if (err)
		dax_refuse(err, "%s: %s", path, ext4_why(fs->ext4));
	mutex_unlock(&fs->lock);
	return err;
}

static int op_mkdir(struct dax_fs *fs, struct ext4_inode *dir, const char *name, void *arg)
{
	(void)fs, (void)arg;
	return ext4_mkdir(dir, name, 0755, NULL);
}

int dax_mkdir(const char *path)
{
	return with_parent(path, op_mkdir, NULL);
}

/* A directory has no DAX mappings: its blocks may go at once. */
static int op_rmdir(struct dax_fs *fs, struct ext4_inode *dir, const char *name, void *arg)
{
	struct ext4_inode *victim;
	int err = ext4_rmdir(dir, name, &victim);

	(void)fs, (void)arg;
	if (!err && ext4_iput(victim))
		err = ext4_evict(victim);
	return err;
}

int dax_rmdir(const char *path)
{
	return with_parent(path, op_rmdir, NULL);
}

static int op_unlink(struct dax_fs *fs, struct ext4_inode *dir, const char *name, void *arg)
{
	struct ext4_inode *victim;
	int err = ext4_unlink(dir, name, &victim);

	return err ? err : inode_attach(fs, victim, name, arg);
}

int dax_unlink(const char *path)
{
	struct dax_inode *inode;
	int err = with_parent(path, op_unlink, &inode);

	if (!err)
		dax_put(inode); /* the last user frees the blocks, here or at its own close */
	return err;
}
