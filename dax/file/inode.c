/* SPDX-License-Identifier: MIT */
/*
 * DAX files in memory: one object per open or ever opened file of a mount.
 *
 * The object outlives its last close, because its entries say which file a page belongs to as long
 * as somebody may hold it. It goes at unmount, or when an unlinked file's last reference goes; then
 * its blocks go too, after the lifetime was asked.
 */
#include <stdarg.h>

#include "dax/file/internal.h"

/* The sentence is the thread's own: whoever is refused at the same time writes another one. */
struct dax_inode *dax_inode_new(struct dax_fs *fs, uint32_t number, uint64_t size, const char *name)
{
	struct dax_inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	mapping_init(&inode->mapping, MODE_FILE | 0600, S_DAX);
	lease_list_init(&inode->leases, true);
	rwsem_init(&inode->io_lock, "io_lock");
	rwsem_init(&inode->fault_lock, "fault_lock");
	mutex_init(&inode->map_lock, "map_lock");
	spin_init(&inode->tree_lock, "dax tree");
	inode->fs = fs;
	inode->ops = fs->ops;
	inode->number = number;
	inode->size = size;
	inode->refs = 1;
	snprintf(inode->name, sizeof(inode->name), "%s", name);
	LIST_INSERT_HEAD(&fs->inodes, inode, link);
	return inode;
}

int inode_check_dax(const struct dax_inode *inode)
{
	return IS_FSDAX(&inode->mapping)
		       ? 0
		       : refuse(-EOPNOTSUPP,
				"%s is not on DAX, and there is no page cache: it can be read and "
				"written, not mapped",
				inode->name);
}

int layer_lacks(const struct dax_fs *fs, const char *what)
{
	return refuse(-EOPNOTSUPP, "%s cannot %s", fs->ops->name, what);
}

int inode_attach(struct dax_fs *fs, struct dax_node *node, const char *name, struct dax_inode **out)
{
	struct dax_inode *inode = node->open;

	assert_mutex_held(&fs->lock);
	if (inode) {
		fs->ops->put_node(fs, node); /* the file holds one already; not the last */
		inode->refs++;
	} else {
		inode = dax_inode_new(fs, node->number, node->size, name);
		if (!inode) {
			fs->ops->put_node(fs, node); /* just unlinked and not open: freed */
			return refuse(-ENOMEM, "no memory for an open file");
		}
		inode->layer = node->layer;
		fs->ops->opened(inode, node);
	}
	*out = inode;
	return 0;
}

void dax_get(struct dax_inode *inode)
{
	mutex_lock(&inode->fs->lock);
	inode->refs++;
	mutex_unlock(&inode->fs->lock);
}

/* Off the mount's list, entries gone. fs->lock NOT held: deleting takes the fault lock first.
 * Nobody finds the file any more, so these locks are ours alone; nobody can have been promised
 * anything about its blocks. */
static void inode_empty(struct dax_inode *inode)
{
	lease_drop_all(&inode->leases);
	down_write(&inode->io_lock);
	down_write(&inode->fault_lock);
	inode->fs->lifetime->evict(inode);
	unmap_mapping_range(&inode->mapping, 0, DAX_TO_END);
	entries_delete(inode, 0, DAX_TO_END);
	up_write(&inode->fault_lock);
	up_write(&inode->io_lock);
}

static void inode_free(struct dax_inode *inode)
{
	struct dax_fs *fs = inode->fs;

	mutex_lock(&fs->lock);
	LIST_REMOVE(inode, link);
	inode->ops->drop(inode);
	mutex_unlock(&fs->lock);
	free(inode);
}

void inode_drop(struct dax_inode *inode)
{
	inode_empty(inode);
	inode_free(inode);
}

void dax_put(struct dax_inode *inode)
{
	struct dax_fs *fs = inode->fs;
	bool gone;

	mutex_lock(&fs->lock);
	ASSERT(inode->refs, "%s is closed more often than it was opened", inode->name);
	gone = inode->refs == 1 && !inode->ops->has_name(inode);
	if (!gone)
		inode->refs--;
	mutex_unlock(&fs->lock);
	if (!gone)
		return;
	/* Unlinked and closed: its blocks go. The last reference stays until the object goes, else
	 * umount takes the file for closed. */
	inode_drop(inode);
}

/* fs->lock held. */
static int walk(struct dax_fs *fs, const char *path, const char *rest, bool create,
		struct dax_node *node)
{
	int err;

	if (!fs->ops->walk)
		return layer_lacks(fs, "find a file by its name");
	err = fs->ops->walk(fs, rest, create, node);
	return err ? refuse(err, "%s: %s", path, refusal()) : 0;
}

int node_walk(struct dax_fs *fs, const char *path, const char *rest, struct dax_node *node)
{
	assert_mutex_held(&fs->lock);
	return walk(fs, path, rest, false, node);
}

int dax_open(const char *path, bool create, struct dax_inode **out)
{
	const char *rest;
	struct dax_fs *fs = dax_fs_find(path, &rest);
	struct dax_node node;
	int err;

	if (!fs)
		return -ENOENT;
	err = walk(fs, path, rest, create, &node);
	if (!err && node.type != DAX_FILE) {
		err = refuse(node.type == DAX_DIRECTORY ? -EISDIR : -EINVAL,
			     "%s is not a regular file", path);
		fs->ops->put_node(fs, &node);
	} else if (!err) {
		err = inode_attach(fs, &node, path, out);
	}
	mutex_unlock(&fs->lock);
	return err;
}
