/* SPDX-License-Identifier: MIT */
/*
 * The scratch device: a fresh file system on pmem1 for whoever needs one, gone afterwards.
 */
#ifndef TESTS_KERNEL_SCRATCH_H
#define TESTS_KERNEL_SCRATCH_H

#include "drivers/clients/clients.h"

#define SCRATCH_PATH "/scratch"

enum scratch_size { SCRATCH_SMALL, SCRATCH_LARGE }; /* 16 MiB, 1 GiB */

/* The scratch region, or NULL with a sentence: no second DIMM, read-only, too small, mounted. */
struct pmem_region *scratch_region(const char **why);
/* A fresh file system, mounted at SCRATCH_PATH. 0, or a negative errno with a sentence. Nothing
 * that was on the region stays. Sleepable. */
int scratch_mount(enum scratch_size size, const struct lifetime *lt, struct dax_fs **fs,
		  const char **why);
/* Binds the scratch region anew, so that none of its page records exists. Nothing is mounted on it.
 * 0, or a negative errno. */
int scratch_forget_records(void);
void scratch_umount(void); /* panics if it is refused: somebody left a file open */

/* Gives every free block to the file `name`, so that the allocator has no other to give. 0 or
 * errno. */
int scratch_fill(const char *name);
/* Opens SCRATCH_PATH/name, made if absent, filled with `pages` pages of the byte `fill`. NULL:
 * failed. */
struct dax_inode *scratch_file(const char *name, unsigned pages, char fill);

#endif
