/* SPDX-License-Identifier: MIT */
/*
 * One change of a file system, and a power cut at every moment of it.
 *
 * The file system has 1 MiB and lies in plain memory. The change runs once, to its end; before each
 * of its fences, and at each 16th write-back, some pictures are made of what a cut might have left
 * just then (ext4_cut.h), and each is judged:
 *
 *   as it lies: no block has two owners, no name leads to a free block or to an inode without
 * links; after a mount, which repairs: each name and each byte is as before the change or as after
 * it, what both have is there, nothing else is, and ext4_check() finds nothing.
 *
 * When the change has returned, what is certain to survive must be what it did, all of it.
 */
#ifndef TESTS_KERNEL_LIB_CUT_PLAY_H
#define TESTS_KERNEL_LIB_CUT_PLAY_H

#include "dax/ext4/ext4.h"

struct cut_change {
	int (*before)(struct ext4_fs *fs); /* what there is before it; NULL: an empty directory */
	int (*change)(struct ext4_fs *fs); /* 0, or an errno; both leave a sentence (ext4_why) */
	int (*after)(struct ext4_fs *fs);  /* gives back what the two hold; NULL: nothing */
	bool silent;			   /* names and bytes are the same before and after it */
	uint32_t lose_one_in; /* one fence in so many does nothing, on purpose; 0: none */
};

struct cut_found {
	uint32_t outcomes, broken; /* judged, and wrong */
	uint64_t fences;	   /* of the change */
	unsigned late;		   /* lines that were not durable when the change returned */
	char text[200];		   /* of the first that is wrong; of an error */
};

/* 0: played to its end, *found says what came of it. Or an errno of the change, with its sentence;
 * -ENOMEM. Sleepable. One at a time. */
int cut_play(const struct cut_change *c, struct cut_found *found);

/* Moves for changes: paths below "/". 0 or an errno. */
int cut_create(struct ext4_fs *fs, const char *path);
int cut_mkdir(struct ext4_fs *fs, const char *path);
int cut_remove(struct ext4_fs *fs, const char *path); /* unlink, or rmdir; and what follows */
int cut_rename(struct ext4_fs *fs, const char *path, const char *to);
/* len bytes `fill` at off; opens and closes. */
int cut_write(struct ext4_fs *fs, const char *path, uint64_t off, uint64_t len, char fill);

#endif
