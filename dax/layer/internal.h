/* SPDX-License-Identifier: MIT */
/* ext4 as a file layer of DAX: what its two files share, and tests that look at ext4 itself. */
#ifndef DAX_LAYER_INTERNAL_H
#define DAX_LAYER_INTERNAL_H

#include "dax/dax.h"
#include "dax/ext4/ext4.h"

_Static_assert(DAX_NAME_MAX == EXT4_NAME_MAX, "room for its names");

/* The objects behind those of DAX, of a mount whose layer is ext4. A file's has one reference, for
 * as long as the DAX file lives. */
static inline struct ext4_fs *ext4_of(const struct dax_fs *fs)
{
	return fs->layer;
}
static inline struct ext4_inode *ext4_inode_of(const struct dax_inode *inode)
{
	return inode->layer;
}

/* ext4_names.c: the operations of struct dax_layer_ops that are about names; fs->lock held. */
int ext4_names_walk(struct dax_fs *fs, const char *path, bool create, struct dax_node *node);
int ext4_names_by_number(struct dax_fs *fs, uint32_t number, struct dax_node *node);
int ext4_names_next(struct dax_fs *fs, struct dax_node *directory, uint64_t *pos,
		    struct dax_name *name);
int ext4_names_make_directory(struct dax_fs *fs, const char *path);
int ext4_names_remove_directory(struct dax_fs *fs, const char *path);
int ext4_names_unlink(struct dax_fs *fs, const char *path, struct dax_node *node);
int ext4_names_put_node(struct dax_fs *fs, struct dax_node *node);
void ext4_names_opened(struct dax_inode *inode, struct dax_node *node);

#endif
