/* SPDX-License-Identifier: MIT */
/* All names of a small file system, and what they lead to; see cut_play.h. */
#ifndef TESTS_KERNEL_LIB_CUT_TREE_H
#define TESTS_KERNEL_LIB_CUT_TREE_H

#include "dax/ext4/ext4.h"

#define CUT_NAMES 40u
#define CUT_BYTES (128u << 10) /* of the largest file */

struct cut_name {
	char *path;
	uint32_t ino;
	uint64_t size;
	uint8_t *data; /* NULL: a directory */
};
struct cut_tree {
	unsigned nr;
	struct cut_name name[CUT_NAMES];
};

/* Called with each name: a reference to what it leads to. Not zero ends the walk, and is returned.
 */
typedef int (*cut_name_fn)(void *ctx, const char *path, struct ext4_inode *ip);
/* Every name but "." and "..", a directory before what is in it. An errno: a name could not be
 * followed. */
int cut_walk(struct ext4_fs *fs, cut_name_fn fn, void *ctx);

/* What there is now; 0 or an errno. Undone by cut_forget(). */
int cut_read(struct ext4_fs *fs, struct cut_tree *tree);
void cut_forget(struct cut_tree *tree);
bool cut_same(const struct cut_tree *a, const struct cut_tree *b);
const struct cut_name *cut_find(const struct cut_tree *tree, const char *path); /* NULL: none */

#endif
