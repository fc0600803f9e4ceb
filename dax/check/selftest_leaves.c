/* SPDX-License-Identifier: MIT */
/* What a self-test can leave behind of this floor (kernel/selftest/selftest_leaks.c). */
#include "dax/dax.h"

static int count_mount(struct dax_fs *fs, void *arg)
{
	(void)fs;
	*(int64_t *)arg += 1;
	return 0;
}

static int64_t mounts(void)
{
	int64_t n = 0;

	dax_fs_for_each(count_mount, &n);
	return n;
}

static int first_path(struct dax_fs *fs, void *arg)
{
	snprintf(arg, sizeof(fs->path), "%s", fs->path);
	return 1;
}

/* The newest mount is the first in the list: those of before stay. */
static void umount_new(int64_t before)
{
	char path[sizeof(((struct dax_fs *)0)->path)];
	int err = 0;

	while (!err && mounts() > before) {
		dax_fs_for_each(first_path, path);
		err = dax_umount(path);
	}
}
SELFTEST_LEAVES(mounts, "mount(s)", LEAVES_MOUNTS, mounts, umount_new);

/* ---- open files, leases */

struct files {
	int64_t refs, leases;
};

static int count_files(struct dax_fs *fs, void *arg)
{
	struct files *n = arg;
	struct dax_inode *inode;

	mutex_lock(&fs->lock);
	LIST_FOREACH (inode, &fs->inodes, link) {
		n->refs += inode->refs;
		n->leases += lease_count(&inode->leases, LEASE_ALL);
	}
	mutex_unlock(&fs->lock);
	return 0;
}

static struct files count(void)
{
	struct files n = {0, 0};

	dax_fs_for_each(count_files, &n);
	return n;
}

/* Each mapping has its file open, and is counted as a mapping. */
static int64_t open_files(void)
{
	return count().refs;
}

static int64_t leases(void)
{
	return count().leases;
}

static int first_open(struct dax_fs *fs, void *arg)
{
	struct dax_inode **found = arg, *inode;

	mutex_lock(&fs->lock);
	LIST_FOREACH (inode, &fs->inodes, link)
		if (inode->refs)
			*found = inode;
	mutex_unlock(&fs->lock);
	return *found != NULL;
}

/* Whose they are nobody knows; if there were none before, all are the test's. */
static void close_all(int64_t before)
{
	struct dax_inode *inode = NULL;

	while (!before && (dax_fs_for_each(first_open, &inode), inode)) {
		dax_put(inode);
		inode = NULL;
	}
}

static int drop_leases(struct dax_fs *fs, void *arg)
{
	struct dax_inode *inode;

	(void)arg;
	LIST_FOREACH (inode, &fs->inodes, link)
		lease_drop_all(&inode->leases);
	return 0;
}

static void leases_away(int64_t before)
{
	if (!before)
		dax_fs_for_each(drop_leases, NULL);
}
SELFTEST_LEAVES(files, "file(s) open", LEAVES_FILES, open_files, close_all);
SELFTEST_LEAVES(leases, "lease(s)", LEAVES_USERS, leases, leases_away);
