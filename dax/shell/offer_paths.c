/* SPDX-License-Identifier: MIT */
/*
 * What TAB offers for a FILE or PATH: mount points, and what the directory holds that was typed. A
 * directory ends with '/', so that its names can follow. Names that are no text cannot be typed;
 * the shell drops them.
 */
#include "dax/file/internal.h"

static bool is_directory(struct dax_fs *fs, uint32_t number)
{
	struct dax_node node;
	bool directory;

	if (fs->ops->by_number(fs, number, &node))
		return false;
	directory = node.type == DAX_DIRECTORY;
	fs->ops->put_node(fs, &node);
	return directory;
}

/* The names in `dir` that begin with `start`, each behind `path`, which ends with '/'. */
static void offer_names(struct shell_offers *o, struct dax_fs *fs, struct dax_node *dir,
			const char *path, const char *start)
{
	char word[SHELL_LINE_MAX + DAX_NAME_MAX + 2];
	struct dax_name d;
	uint64_t pos = 0;

	while (fs->ops->names(fs, dir, &pos, &d) > 0) {
		if (strncmp(d.name, start, strlen(start)) || !strcmp(d.name, ".") ||
		    !strcmp(d.name, ".."))
			continue;
		snprintf(word, sizeof(word), "%s%s%s", path, d.name,
			 is_directory(fs, d.number) ? "/" : "");
		shell_offer(o, word);
	}
}

/* `path`: a directory, with the '/' behind it. */
static void offer_directory(struct shell_offers *o, const char *path, const char *start)
{
	const char *rest;
	struct dax_fs *fs = dax_fs_find(path, &rest);
	struct dax_node dir;

	if (!fs)
		return;
	if (!node_walk(fs, path, rest, &dir)) {
		if (dir.type == DAX_DIRECTORY)
			offer_names(o, fs, &dir, path, start);
		fs->ops->put_node(fs, &dir);
	}
	mutex_unlock(&fs->lock);
}

static int offer_mount(struct dax_fs *fs, void *arg)
{
	shell_offer(arg, fs->path);
	return 0;
}

static int offer_mount_directory(struct dax_fs *fs, void *arg)
{
	char path[sizeof(fs->path) + 1];

	snprintf(path, sizeof(path), "%s/", fs->path);
	shell_offer(arg, path);
	return 0;
}

static void offer_paths(struct shell_offers *o)
{
	const char *typed = shell_offer_typed(o), *slash = strrchr(typed, '/');
	char path[SHELL_LINE_MAX + 1];

	dax_fs_for_each(offer_mount_directory, o);
	if (!slash || slash == typed)
		return;
	snprintf(path, sizeof(path), "%.*s", (int)(slash + 1 - typed), typed);
	offer_directory(o, path, slash + 1);
}
SHELL_KIND(file, "FILE", NULL, offer_paths);
SHELL_KIND(path, "PATH", NULL, offer_paths);

static void offer_mounts(struct shell_offers *o)
{
	dax_fs_for_each(offer_mount, o);
}
SHELL_KIND(mount_point, "PATH", "umount", offer_mounts);
SHELL_KIND(new_mount_point, "PATH", "mount", NULL); /* a new one: nothing is known of it */
