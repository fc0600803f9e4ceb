/* SPDX-License-Identifier: MIT */
/* Moves of the power-cut self-tests on a file system in memory; see cut_play.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/lib/cut_play.h"

/* The last reference of a file without a name is its end. */
static int let_go(struct ext4_inode *ip)
{
	return ext4_iput(ip) ? ext4_evict(ip) : 0;
}

/* 0: the name is there, or is not, as it should. */
static int expect(struct ext4_fs *fs, const char *path, bool there)
{
	struct ext4_inode *ip;
	int err = ext4_walk(fs, path, &ip);

	if (!err)
		ext4_iput(ip);
	if (there || err != -ENOENT)
		return there ? err : -EEXIST;
	return 0;
}

static int make(struct ext4_fs *fs, const char *path, bool is_dir)
{
	char name[EXT4_NAME_MAX + 1];
	struct ext4_inode *dir;
	int err = ext4_walk_parent(fs, path, &dir, name);

	if (err)
		return err;
	err = is_dir ? ext4_mkdir(dir, name, 0755, NULL) : ext4_create(dir, name, 0644, NULL);
	ext4_iput(dir);
	return err ? err : expect(fs, path, true);
}

int cut_create(struct ext4_fs *fs, const char *path)
{
	return make(fs, path, false);
}

int cut_mkdir(struct ext4_fs *fs, const char *path)
{
	return make(fs, path, true);
}

int cut_remove(struct ext4_fs *fs, const char *path)
{
	char name[EXT4_NAME_MAX + 1];
	struct ext4_inode *dir, *victim;
	int err = ext4_walk_parent(fs, path, &dir, name);

	if (err)
		return err;
	err = ext4_unlink(dir, name, &victim);
	if (err == -EISDIR)
		err = ext4_rmdir(dir, name, &victim);
	ext4_iput(dir);
	err = err ? err : let_go(victim);
	return err ? err : expect(fs, path, false);
}

int cut_rename(struct ext4_fs *fs, const char *path, const char *to)
{
	char name[EXT4_NAME_MAX + 1], to_name[EXT4_NAME_MAX + 1];
	struct ext4_inode *from_dir, *to_dir;
	int err = ext4_walk_parent(fs, path, &from_dir, name);

	if (err)
		return err;
	err = ext4_walk_parent(fs, to, &to_dir, to_name);
	if (!err) {
		err = ext4_rename(from_dir, name, to_dir, to_name);
		ext4_iput(to_dir);
	}
	ext4_iput(from_dir);
	return err ? err : expect(fs, to, true);
}

int cut_write(struct ext4_fs *fs, const char *path, uint64_t off, uint64_t len, char fill)
{
	char *bytes = malloc(len);
	struct ext4_inode *ip;
	int err = bytes ? ext4_walk(fs, path, &ip) : -ENOMEM;

	if (!err) {
		memset(bytes, fill, len);
		err = ext4_write(ip, off, bytes, len) == (int64_t)len ? 0 : -ENOSPC;
		ext4_fsync(ip);
		ext4_iput(ip);
	}
	free(bytes);
	return err;
}
