/* SPDX-License-Identifier: MIT */
/* All names of a small file system, and what they lead to; see cut_tree.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/lib/cut_tree.h"

#define PATH 300u

static int walk_dir(struct ext4_inode *dir, const char *path, cut_name_fn fn, void *ctx);

static int visit(struct ext4_inode *dir, const char *path, const char *name, cut_name_fn fn,
		 void *ctx)
{
	struct ext4_inode *ip;
	char below[PATH];
	int err = ext4_lookup(dir, name, &ip);

	if (err)
		return err;
	snprintf(below, sizeof(below), "%s/%s", path, name);
	err = fn(ctx, below, ip);
	if (!err && (ip->mode & EXT4_S_IFMT) == EXT4_S_IFDIR)
		err = walk_dir(ip, below, fn, ctx);
	ext4_iput(ip);
	return err;
}

static int walk_dir(struct ext4_inode *dir, const char *path, cut_name_fn fn, void *ctx)
{
	struct ext4_dirent_info info;
	uint64_t pos = 0;
	int got, err = 0;

	while (!err && (got = ext4_readdir(dir, &pos, &info)) != 0) {
		if (got < 0)
			return got;
		if (strcmp(info.name, ".") != 0 && strcmp(info.name, "..") != 0)
			err = visit(dir, path, info.name, fn, ctx);
	}
	return err;
}

int cut_walk(struct ext4_fs *fs, cut_name_fn fn, void *ctx)
{
	struct ext4_inode *root;
	int err = ext4_iget(fs, EXT4_ROOT_INO, &root);

	if (err)
		return err;
	err = walk_dir(root, "", fn, ctx);
	ext4_iput(root);
	return err;
}

static int keep(void *ctx, const char *path, struct ext4_inode *ip)
{
	struct cut_tree *tree = ctx;
	struct cut_name *n = &tree->name[tree->nr];

	if (tree->nr == CUT_NAMES || ip->size > CUT_BYTES)
		return -EFBIG;
	*n = (struct cut_name){.path = strdup(path), .ino = ip->ino, .size = ip->size};
	if (!n->path)
		return -ENOMEM;
	tree->nr++;
	if ((ip->mode & EXT4_S_IFMT) == EXT4_S_IFDIR)
		return 0;
	n->data = malloc(ip->size + 1);
	if (!n->data)
		return -ENOMEM;
	return ext4_read(ip, 0, n->data, ip->size) == (int64_t)ip->size ? 0 : -EIO;
}

int cut_read(struct ext4_fs *fs, struct cut_tree *tree)
{
	*tree = (struct cut_tree){0};
	return cut_walk(fs, keep, tree);
}

void cut_forget(struct cut_tree *tree)
{
	for (unsigned i = 0; i < tree->nr; i++) {
		free(tree->name[i].path);
		free(tree->name[i].data);
	}
	tree->nr = 0;
}

const struct cut_name *cut_find(const struct cut_tree *tree, const char *path)
{
	for (unsigned i = 0; i < tree->nr; i++)
		if (!strcmp(tree->name[i].path, path))
			return &tree->name[i];
	return NULL;
}

static bool same_name(const struct cut_name *a, const struct cut_name *b)
{
	return b && a->size == b->size && !a->data == !b->data &&
	       !(a->data && memcmp(a->data, b->data, a->size));
}

bool cut_same(const struct cut_tree *a, const struct cut_tree *b)
{
	bool same = a->nr == b->nr;

	for (unsigned i = 0; same && i < a->nr; i++)
		same = same_name(&a->name[i], cut_find(b, a->name[i].path));
	return same;
}
