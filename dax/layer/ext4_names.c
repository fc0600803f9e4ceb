/* SPDX-License-Identifier: MIT */
/*
 * Names of ext4, for the file layer interface: a path becomes a node, which holds a reference to
 * ext4's inode until it is put, or until a DAX file takes the reference over.
 */
#include "dax/layer/internal.h"

static enum dax_type type_of(uint32_t mode)
{
	switch (mode & EXT4_S_IFMT) {
	case EXT4_S_IFDIR: return DAX_DIRECTORY;
	case EXT4_S_IFREG: return DAX_FILE;
	case EXT4_S_IFLNK: return DAX_LINK;
	default: return DAX_SPECIAL;
	}
}

/* The node takes the caller's reference over. */
static void make_node(struct ext4_inode *ip, struct dax_node *node)
{
	*node = (struct dax_node){
		.layer = ip,
		.open = ip->host,
		.number = ip->ino,
		.type = type_of(ip->mode),
		.permissions = ip->mode & 07777,
		.links = ip->links,
		.changed = ext4_mtime(ip),
		.size = ip->size,
	};
}

static int create_file(struct dax_fs *fs, const char *path, struct ext4_inode **ip)
{
	char last[EXT4_NAME_MAX + 1];
	struct ext4_inode *dir;
	int err = ext4_walk_parent(ext4_of(fs), path, &dir, last);

	if (err)
		return err;
	err = ext4_create(dir, last, 0644, ip);
	ext4_iput(dir);
	return err;
}

int ext4_names_walk(struct dax_fs *fs, const char *path, bool create, struct dax_node *node)
{
	struct ext4_inode *ip;
	int err = ext4_walk(ext4_of(fs), path, &ip);

	/* "name/" can only be a directory, so no file is made of it. */
	if (err == -ENOENT && create && path[strlen(path) - 1] != '/')
		err = create_file(fs, path, &ip);
	if (!err)
		make_node(ip, node);
	return err;
}

int ext4_names_by_number(struct dax_fs *fs, uint32_t number, struct dax_node *node)
{
	struct ext4_inode *ip;
	int err = ext4_iget(ext4_of(fs), number, &ip);

	if (!err)
		make_node(ip, node);
	return err;
}

int ext4_names_next(struct dax_fs *fs, struct dax_node *directory, uint64_t *pos,
		    struct dax_name *name)
{
	struct ext4_dirent_info d;
	int got = ext4_readdir(directory->layer, pos, &d);

	(void)fs;
	if (got > 0) {
		name->number = d.ino;
		snprintf(name->name, sizeof(name->name), "%s", d.name);
	}
	return got;
}

/* Runs `op` on the directory of `path` and the last name. */
static int in_parent(struct dax_fs *fs, const char *path,
		     int (*op)(struct ext4_inode *dir, const char *name, void *arg), void *arg)
{
	char last[EXT4_NAME_MAX + 1];
	struct ext4_inode *dir;
	int err = ext4_walk_parent(ext4_of(fs), path, &dir, last);

	if (err)
		return err;
	err = op(dir, last, arg);
	ext4_iput(dir);
	return err;
}

static int make_directory(struct ext4_inode *dir, const char *name, void *arg)
{
	(void)arg;
	return ext4_mkdir(dir, name, 0755, NULL);
}

int ext4_names_make_directory(struct dax_fs *fs, const char *path)
{
	return in_parent(fs, path, make_directory, NULL);
}

/* A directory has no DAX mappings: its blocks may go at once. */
static int remove_directory(struct ext4_inode *dir, const char *name, void *arg)
{
	struct ext4_inode *victim;
	int err = ext4_rmdir(dir, name, &victim);

	(void)arg;
	if (!err && ext4_iput(victim))
		err = ext4_evict(victim);
	return err;
}

int ext4_names_remove_directory(struct dax_fs *fs, const char *path)
{
	return in_parent(fs, path, remove_directory, NULL);
}

static int unlink_file(struct ext4_inode *dir, const char *name, void *arg)
{
	struct ext4_inode *victim;
	int err = ext4_unlink(dir, name, &victim);

	if (!err)
		make_node(victim, arg);
	return err;
}

int ext4_names_unlink(struct dax_fs *fs, const char *path, struct dax_node *node)
{
	return in_parent(fs, path, unlink_file, node);
}

int ext4_names_put_node(struct dax_fs *fs, struct dax_node *node)
{
	(void)fs;
	return ext4_iput(node->layer) ? ext4_evict(node->layer) : 0;
}

void ext4_names_opened(struct dax_inode *inode, struct dax_node *node)
{
	ext4_inode_of(inode)->host = inode;
	node->layer = NULL;
}
