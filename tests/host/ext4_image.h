/* SPDX-License-Identifier: MIT */
/*
 * ext4 images for host tests: made by mkfs.ext4, mapped into memory, mounted by dax/ext4, judged
 * by e2fsck and debugfs.  Every failure of a tool prints what the tool said.
 */
#ifndef TESTS_HOST_EXT4_IMAGE_H
#define TESTS_HOST_EXT4_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "dax/ext4/ext4.h"

#define OURS "-b 4096 -I 256 -O none,filetype,extent,sparse_super,large_file,extra_isize"

struct image {
	int fd;	       /* the file, which has no name any more */
	char path[64]; /* by which tools open it */
	uint8_t *base;
	uint64_t size;
	struct ext4_env env; /* plain memory: write-back and fence do nothing */
	struct ext4_fs *fs;
	char why[400];	 /* of the last mount */
	char said[8192]; /* report lines of the last mount, newline separated */
};

/* Make an image of @mib MiB with `mkfs.ext4 -F -q ARGS` and map it.  Fails the test on error. */
void image_make(struct image *im, uint32_t mib, const char *mkfs_args);
/* Unmount if mounted, unmap, delete. */
void image_drop(struct image *im);

/* ext4_mount with im->env; the negative errno or 0, im->why and im->said filled. */
int image_mount(struct image *im);
/* image_mount that must succeed. */
void image_up(struct image *im);
/* ext4_unmount that must succeed. */
void image_down(struct image *im);

/* e2fsck -fn finds nothing: status 0 and not one line beside the usual ones. */
void image_fsck(struct image *im);
/* Unmount, fsck, mount again. */
void image_check(struct image *im);
/* The same judgement without failing the test; prints what was found. */
bool image_is_clean(struct image *im);

/* The word that publishes the superblock's write-ahead image for inode @ino. */
void image_redo_word(struct image *im, uint32_t ino);

/* Run debugfs; @write opens the image for writing.  Output to @out (may be NULL). */
void image_debugfs(struct image *im, bool write, const char *request, char *out, size_t n);
/* `debugfs cat PATH` equals @data. */
void image_same(struct image *im, const char *path, const void *data, size_t n);

/* Run a shell command; its output to @out.  Returns its status. */
int image_sh(char *out, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Short cuts that fail the test on any error; paths are absolute. */
struct ext4_inode *im_open(struct image *im, const char *path);
struct ext4_inode *im_create(struct image *im, const char *path);
void im_mkdir(struct image *im, const char *path);
void im_put(struct ext4_inode *ip);
void im_unlink(struct image *im, const char *path);
void im_rmdir(struct image *im, const char *path);
void im_write(struct ext4_inode *ip, uint64_t off, const void *buf, uint64_t len);
/* The file has exactly these bytes. */
void im_expect(struct image *im, const char *path, const void *data, uint64_t n);
/* assert_memory_equal(), whose loop over the bytes is a third of the work of all host tests: only
 * for what differs. */
#define assert_same_bytes(a, b, n)                                                                 \
	do {                                                                                       \
		if (memcmp(a, b, n))                                                               \
			assert_memory_equal(a, b, n);                                              \
	} while (0)
/* @n reproducible bytes that name @seed and their place. */
void im_pattern(uint8_t *buf, uint64_t n, uint32_t seed);

#endif
