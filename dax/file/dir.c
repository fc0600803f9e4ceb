/* SPDX-License-Identifier: MIT */
/*
 * Names: what changes directories. Unlinking takes only the name; blocks go with the last user.
 */
#include "dax/file/internal.h"

/* Runs one of the file layer's operations on names. */
static int on_directory(const char *path, bool makes)
{
	const char *rest;
	struct dax_fs *fs = dax_fs_find(path, &rest);
	int (*op)(struct dax_fs *, const char *);
	int err;

	if (!fs)
		return -ENOENT;
	op = makes ? fs->ops->make_directory : fs->ops->remove_directory;
	err = op ? op(fs, rest) : -EOPNOTSUPP;
	if (!op)
		layer_lacks(fs, "keep directories");
	else if (err)
		refuse(err, "%s: %s", path, refusal());
	mutex_unlock(&fs->lock);
	return err;
}

int dax_mkdir(const char *path)
{
	return on_directory(path, true);
}

int dax_rmdir(const char *path)
{
	return on_directory(path, false);
}

int dax_unlink(const char *path)
{
	const char *rest;
	struct dax_fs *fs = dax_fs_find(path, &rest);
	struct dax_inode *inode;
	struct dax_node node;
	int err;

	if (!fs)
		return -ENOENT;
	if (!fs->ops->unlink) {
		err = layer_lacks(fs, "remove a name");
	} else {
		err = fs->ops->unlink(fs, rest, &node);
		if (err)
			refuse(err, "%s: %s", path, refusal());
		else
			err = inode_attach(fs, &node, path, &inode);
	}
	mutex_unlock(&fs->lock);
	if (!err)
		dax_put(inode); /* the last user frees the blocks, here or at its own close */
	return err;
}
