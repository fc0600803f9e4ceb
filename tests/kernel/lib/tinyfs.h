/* SPDX-License-Identifier: MIT */
/*
 * A second, tiny file layer, for self-tests only: files whose blocks can be shared.
 *
 * Blocks come from the beginning of a DIMM and hold data; who owns them stands in RAM and is gone
 * with the mount, so nothing of it has to survive a power cut. Sizes and ranges are whole pages. A
 * file lives as long as it is open or has a name (tinyfs_names.c), and its blocks go with it. By
 * hand: `mount pmem1 /y layer=tinyfs`, on a region that was given as scratch.
 */
#ifndef TESTS_KERNEL_LIB_TINYFS_H
#define TESTS_KERNEL_LIB_TINYFS_H

#include "tests/kernel/lib/scratch.h"

#define TINY_PATH   "/tiny"
#define TINY_BLOCKS 64u /* block 0 is nobody's: zero means a hole */
#define TINY_PAGES  16u /* of a file, at most */

/* Mounts one on the scratch region. 0, or a negative errno with a sentence in *why. */
int tiny_mount(const struct lifetime *lt, struct dax_fs **fs, const char **why);
void tiny_umount(void); /* panics if it is refused: somebody left a file open */
/* A fresh file of `pages` pages of holes, with one reference. NULL: no memory. */
struct dax_inode *tiny_file(struct dax_fs *fs, const char *name, unsigned pages);
/* Files that own the block with this pfn; zero: it is free. */
unsigned tiny_owners(struct dax_fs *fs, uint64_t pfn);
unsigned tiny_free_blocks(struct dax_fs *fs);

#endif
