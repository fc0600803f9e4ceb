/* SPDX-License-Identifier: MIT */
/*
 * Names of the tiny file layer: one directory. A file lives as long as it has a name or is open.
 */
#include "tests/kernel/lib/tinyfs_layer.h"

static void make_node(const struct dax_fs *fs, struct tiny *file, struct dax_node *node)
{
	if (file)
		*node = (struct dax_node){.layer = file,
					  .open = file->open,
					  .size = file->size,
					  .number = file->number,
					  .type = DAX_FILE,
					  .permissions = 0644,
					  .links = file->name[0] != 0};
	else
		*node = (struct dax_node){.layer = fs->layer,
					  .number = TINY_ROOT,
					  .links = 1,
					  .type = DAX_DIRECTORY,
					  .permissions = 0755};
}

static struct tiny *find(const struct dax_fs *fs, const char *name, uint32_t number)
{
	struct tiny *file;

	LIST_FOREACH (file, &tinyfs_of(fs)->named, link)
		if (name ? !strcmp(file->name, name) : file->number == number)
			return file;
	return NULL;
}

static int create_file(struct dax_fs *fs, const char *name, struct tiny **file)
{
	if (strchr(name, '/'))
		return refuse(-ENOENT, "there is one directory, and no other");
	if (strlen(name) >= sizeof((*file)->name))
		return refuse(-ENAMETOOLONG, "a name has at most %zu bytes",
			      sizeof((*file)->name) - 1);
	*file = tiny_new(fs, 0);
	if (!*file)
		return refuse(-ENOMEM, "no memory");
	snprintf((*file)->name, sizeof((*file)->name), "%s", name);
	LIST_INSERT_HEAD(&tinyfs_of(fs)->named, *file, link);
	return 0;
}

int tiny_walk(struct dax_fs *fs, const char *path, bool create, struct dax_node *node)
{
	const char *name = path + strspn(path, "/");
	struct tiny *file = NULL;
	int err = 0;

	if (*name)
		file = find(fs, name, 0);
	if (*name && !file)
		err = create ? create_file(fs, name, &file) : refuse(-ENOENT, "no '%s'", name);
	if (!err)
		make_node(fs, file, node);
	return err;
}

int tiny_by_number(struct dax_fs *fs, uint32_t number, struct dax_node *node)
{
	struct tiny *file = find(fs, NULL, number);

	if (number != TINY_ROOT && !file)
		return refuse(-ENOENT, "no file has number %u", number);
	make_node(fs, file, node);
	return 0;
}

int tiny_names(struct dax_fs *fs, struct dax_node *directory, uint64_t *pos, struct dax_name *name)
{
	const struct tiny *file = LIST_FIRST(&tinyfs_of(fs)->named);

	(void)directory;
	for (uint64_t i = 0; file && i < *pos; i++)
		file = LIST_NEXT(file, link);
	if (!file)
		return 0;
	name->number = file->number;
	snprintf(name->name, sizeof(name->name), "%s", file->name);
	++*pos;
	return 1;
}

int tiny_unlink(struct dax_fs *fs, const char *path, struct dax_node *node)
{
	int err = tiny_walk(fs, path, false, node);
	struct tiny *file = node->layer;

	if (err)
		return err;
	if (node->type != DAX_FILE)
		return refuse(-EISDIR, "that is the directory");
	LIST_REMOVE(file, link);
	file->name[0] = 0;
	return 0;
}

int tiny_put_node(struct dax_fs *fs, struct dax_node *node)
{
	struct tiny *file = node->layer;

	if (node->type == DAX_FILE && !file->name[0] && !file->open)
		tiny_free(fs, file);
	return 0;
}

void tiny_opened(struct dax_inode *inode, struct dax_node *node)
{
	tiny_of(inode)->open = inode;
	node->layer = NULL;
}

bool tiny_has_name(const struct dax_inode *inode)
{
	return tiny_of(inode)->name[0] != 0;
}

void tiny_drop(struct dax_inode *inode)
{
	struct tiny *file = tiny_of(inode);

	file->open = NULL;
	if (!file->name[0])
		tiny_free(inode->fs, file);
}
