/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: every allocation of an operation on files fails once (fail.file.*, fail.mount). What
 * a refused operation has done before it failed is taken back by removing the file: then no block
 * and no inode may be missing.
 */
#include "tests/kernel/lib/fail_nth.h"

#define FILE_PATH SCRATCH_PATH "/f"
#define PIECE	  (2 * PAGE_SIZE)

static char bytes[2 * PIECE]; /* of 'b', once filled; one case at a time */

static int64_t write_at(struct fail_round *r, uint64_t off, uint64_t len)
{
	int64_t n;

	memset(bytes, 'b', sizeof(bytes));
	n = dax_write(r->f, off, bytes, len);
	return n < 0 ? n : n == (int64_t)len ? 0 : -ENOMEM; /* a short count: ran out on the way */
}

/* ---- mounts ---------------------------------------------------------------------------------- */

static int mount(struct fail_round *r)
{
	const char *why;

	(void)r;
	return scratch_mount(SCRATCH_SMALL, LIFETIME_DEFAULT, NULL, &why);
}

static const char *not_mounted(struct fail_round *r)
{
	const char *rest;
	struct dax_fs *fs = dax_fs_find(SCRATCH_PATH, &rest);

	(void)r;
	if (fs)
		mutex_unlock(&fs->lock);
	return fs	    ? "a refused mount is there"
	       : *refusal() ? NULL
			    : "it was refused without a word";
}

static void umount(struct fail_round *r)
{
	(void)r;
	dax_umount(SCRATCH_PATH);
}
FAIL_NTH(fail_mount, "fail.mount",
	 "each allocation of a mount fails once: refused with a sentence, the region is free again",
	 .op = mount, .check = not_mounted, .undo = umount, .unmounted = true, .least = 4);

/* ---- names ----------------------------------------------------------------------------------- */

static int create(struct fail_round *r)
{
	return dax_open(FILE_PATH, true, &r->f);
}
FAIL_NTH(fail_file_create, "fail.file.create", "each allocation of making a file fails once",
	 .op = create, .undo = fail_undo_file, .least = 2);

static int prepare_closed(struct fail_round *r)
{
	int err = fail_prepare_file(r);

	if (!err)
		dax_put(r->f);
	r->f = NULL;
	return err;
}

static int unlink_it(struct fail_round *r)
{
	(void)r;
	return dax_unlink(FILE_PATH);
}
FAIL_NTH(fail_file_unlink, "fail.file.unlink",
	 "each allocation of removing a file fails once, and it can be removed after that",
	 .prepare = prepare_closed, .op = unlink_it, .undo = fail_undo_file);

/* A directory of two blocks, so that it gets an index when somebody looks into it. */
#define LARGE	    SCRATCH_PATH "/large"
#define LARGE_NAMES 20u

static const char *large_name(unsigned n)
{
	static char path[256];

	snprintf(path, sizeof(path), LARGE "/%0200u", n);
	return path;
}

static int prepare_large(struct fail_round *r)
{
	int err = dax_mkdir(LARGE);

	for (unsigned n = 0; !err && n < LARGE_NAMES; n++) {
		err = dax_open(large_name(n), true, &r->f);
		if (!err)
			dax_put(r->f);
	}
	r->f = NULL;
	return err;
}

static int make_dirs(struct fail_round *r)
{
	int err = dax_mkdir(LARGE "/d");

	(void)r;
	return err ? err : dax_mkdir(LARGE "/e");
}

static void remove_large(struct fail_round *r)
{
	(void)r;
	dax_rmdir(LARGE "/d");
	dax_rmdir(LARGE "/e");
	for (unsigned n = 0; n < LARGE_NAMES; n++)
		dax_unlink(large_name(n));
	dax_rmdir(LARGE);
}
FAIL_NTH(fail_file_mkdir, "fail.file.mkdir",
	 "each allocation of making two directories in a large one fails once",
	 .prepare = prepare_large, .op = make_dirs, .undo = remove_large,
	 .way_round = "a directory without an index is walked", .least = 3);

/* ---- bytes and blocks ------------------------------------------------------------------------ */

static int write_hole(struct fail_round *r)
{
	return (int)write_at(r, (FAIL_PAGES + 3) * PAGE_SIZE, PIECE);
}
FAIL_NTH(fail_file_write, "fail.file.write",
	 "each allocation of a write into a hole that is mapped fails once",
	 .prepare = fail_prepare_mapped, .op = write_hole, .undo = fail_undo_file);

/* Every second page of a longer file, so that its extents fill more than the inode. */
static int prepare_scattered(struct fail_round *r)
{
	int err = fail_prepare_mapped(r);

	for (unsigned i = 0; i < 24 && !err; i++)
		err = (int)write_at(r, (2 * FAIL_PAGES + 2 * i) * PAGE_SIZE, PAGE_SIZE);
	return err;
}

static int write_between(struct fail_round *r)
{
	return (int)write_at(r, (2 * FAIL_PAGES + 11) * PAGE_SIZE, PAGE_SIZE);
}
FAIL_NTH(fail_file_write_between, "fail.file.write-between",
	 "each allocation of a write that joins extents in a tree fails once",
	 .prepare = prepare_scattered, .op = write_between, .undo = fail_undo_file);

static int truncate_half(struct fail_round *r)
{
	return dax_truncate(r->f, (2 * FAIL_PAGES + 20) * PAGE_SIZE);
}
FAIL_NTH(fail_file_truncate, "fail.file.truncate",
	 "each allocation of a truncate in an extent tree fails once", .prepare = prepare_scattered,
	 .op = truncate_half, .undo = fail_undo_file);

static int punch_middle(struct fail_round *r)
{
	return dax_punch(r->f, 3 * PAGE_SIZE, 2 * PAGE_SIZE);
}
FAIL_NTH(fail_file_punch, "fail.file.punch", "each allocation of a punched hole fails once",
	 .prepare = prepare_scattered, .op = punch_middle, .undo = fail_undo_file,
	 .way_round = "two thin leaves of the extent tree stay apart (ext4_thin)");

static int fill_all(struct fail_round *r)
{
	return dax_fallocate(r->f, 0, 80 * PAGE_SIZE, false);
}
FAIL_NTH(fail_file_fallocate, "fail.file.fallocate",
	 "each allocation of filling every hole of a file fails once", .prepare = prepare_scattered,
	 .op = fill_all, .undo = fail_undo_file);

static int sync_dirty(struct fail_round *r)
{
	return dax_fsync(r->f);
}

static int prepare_dirty(struct fail_round *r)
{
	int err = fail_prepare_mapped(r);

	return err ? err : mm_fault(r->mm, r->va, true);
}
FAIL_NTH(fail_file_sync, "fail.file.sync",
	 "each allocation of fsync of a dirty page fails once (it has none)",
	 .prepare = prepare_dirty, .op = sync_dirty, .undo = fail_undo_file);
