/* SPDX-License-Identifier: MIT */
/* What the files of the tiny file layer share. All of it under fs->lock. */
#ifndef TESTS_KERNEL_LIB_TINYFS_LAYER_H
#define TESTS_KERNEL_LIB_TINYFS_LAYER_H

#include "tests/kernel/lib/tinyfs.h"

#define TINY_ROOT 1u /* the number of the one directory */

struct tiny {
	uint32_t number;
	uint64_t size;
	char name[32];		    /* empty: it goes with its last user */
	struct dax_inode *open;	    /* NULL: nobody has it open */
	uint32_t block[TINY_PAGES]; /* zero: a hole */
	LIST_ENTRY(tiny) link;	    /* of those that have a name */
};

struct tinyfs {
	unsigned owners[TINY_BLOCKS];
	uint32_t last_number; /* of a file; TINY_ROOT at first */
	LIST_HEAD(, tiny) named;
};

static inline struct tinyfs *tinyfs_of(const struct dax_fs *fs)
{
	return fs->layer;
}
static inline struct tiny *tiny_of(const struct dax_inode *inode)
{
	return inode->layer;
}

/* A file of nobody: no name, not open. NULL: no memory. */
struct tiny *tiny_new(struct dax_fs *fs, uint64_t size);
/* Its blocks go, and itself. */
void tiny_free(struct dax_fs *fs, struct tiny *file);

/* tinyfs_names.c: operations of struct dax_layer_ops. */
int tiny_walk(struct dax_fs *fs, const char *path, bool create, struct dax_node *node);
int tiny_by_number(struct dax_fs *fs, uint32_t number, struct dax_node *node);
int tiny_names(struct dax_fs *fs, struct dax_node *directory, uint64_t *pos, struct dax_name *name);
int tiny_unlink(struct dax_fs *fs, const char *path, struct dax_node *node);
int tiny_put_node(struct dax_fs *fs, struct dax_node *node);
void tiny_opened(struct dax_inode *inode, struct dax_node *node);
bool tiny_has_name(const struct dax_inode *inode);
void tiny_drop(struct dax_inode *inode);

#endif
