/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: every allocation of changing an address space fails once (fail.space.*, fail.fork,
 * fail.anon, fail.private). A refused change must leave everything mapped as it was.
 */
#include "tests/kernel/lib/fail_nth.h"

#define LEN (2 * FAIL_PAGES * PAGE_SIZE)

static int touch(struct fail_round *r, unsigned n, bool write)
{

	return mm_fault(r->mm, fail_page(r, n), write);
}

/* Is every page of the round's mapping still mapped, with the right to store? */
static const char *still_mapped(struct fail_round *r)
{
	const char *gap = NULL;

	down_read(&r->mm->mmap_lock);
	for (unsigned i = 0; i < 2 * FAIL_PAGES && !gap; i++) {
		struct vma *vma = mm_find_vma(r->mm, fail_page(r, i));

		if (!vma || !(vma->flags & VM_WRITE))
			gap = "a refused change took a page or a right away";
		else if (vma->pgoff + ((fail_page(r, i) - vma->start) >> PAGE_SHIFT) != i)
			gap = "a refused change moved a page";
	}
	up_read(&r->mm->mmap_lock);
	return gap;
}

/* ---- file mappings --------------------------------------------------------------------------- */

static int map(struct fail_round *r)
{
	return dax_mmap(r->mm, r->f, 0, 2 * FAIL_PAGES, true, &r->va);
}
FAIL_NTH(fail_space_map, "fail.space.map", "a mapping that no memory is left for is not there",
	 .prepare = fail_prepare_file, .op = map, .undo = fail_undo_file, .least = 1);

/* Mapped, and two pages of it stored to. */
static int prepare_touched(struct fail_round *r)
{
	int err = fail_prepare_mapped(r);

	err = err ? err : touch(r, 0, true);
	return err ? err : touch(r, FAIL_PAGES - 1, true);
}

static int unmap_middle(struct fail_round *r)
{
	return mm_unmap(r->mm, fail_page(r, 2), 3 * PAGE_SIZE);
}
FAIL_NTH(fail_space_unmap, "fail.space.unmap",
	 "each allocation of unmapping the middle fails once, and then all stays mapped",
	 .prepare = prepare_touched, .op = unmap_middle, .check = still_mapped,
	 .undo = fail_undo_file, .least = 2);

static int protect_middle(struct fail_round *r)
{
	return mm_protect(r->mm, fail_page(r, 2), 3 * PAGE_SIZE, VM_READ);
}
FAIL_NTH(fail_space_protect, "fail.space.protect",
	 "each allocation of taking a right from the middle fails once, and then none is taken",
	 .prepare = prepare_touched, .op = protect_middle, .check = still_mapped,
	 .undo = fail_undo_file, .least = 2);

#define FAR GIB /* from the mapping to where a piece of it is moved */

static int move_middle(struct fail_round *r)
{
	uint64_t to = r->va + FAR;

	return mm_remap(r->mm, fail_page(r, 2), 3 * PAGE_SIZE, &to);
}

static void undo_moved(struct fail_round *r)
{
	mm_unmap(r->mm, r->va + FAR, 3 * PAGE_SIZE); /* refused where nothing was moved */
	fail_undo_file(r);
}
FAIL_NTH(fail_space_remap, "fail.space.remap",
	 "each allocation of moving the middle of a file's mapping fails once, and then it stays",
	 .prepare = prepare_touched, .op = move_middle, .check = still_mapped, .undo = undo_moved,
	 .least = 3);

/* ---- anonymous memory ------------------------------------------------------------------------ */

static int map_anon(struct fail_round *r)
{
	r->va = USER_MMAP;
	return mm_map_anon(r->mm, &r->va, LEN, true);
}

static int prepare_anon(struct fail_round *r)
{
	int err = map_anon(r);

	for (unsigned i = 0; i < FAIL_PAGES && !err; i++)
		err = touch(r, i, true);
	return err;
}

static void drop(struct fail_round *r)
{
	if (r->child)
		mm_put(r->child);
	mm_unmap(r->mm, r->va, LEN);
}

static int map_and_touch(struct fail_round *r)
{
	int err = map_anon(r);

	return err ? err : touch(r, 0, true);
}
FAIL_NTH(fail_anon, "fail.anon", "each allocation of memory's first store fails once",
	 .op = map_and_touch, .undo = drop, .unmounted = true, .least = 5);

FAIL_NTH(fail_space_remap_anon, "fail.space.remap-anon",
	 "each allocation of moving pages of memory fails once, page tables of the new place too",
	 .prepare = prepare_anon, .op = move_middle, .check = still_mapped, .undo = drop,
	 .unmounted = true, .least = 4);

static int fork_space(struct fail_round *r)
{
	r->child = mm_fork(r->mm, "child");
	return r->child ? 0 : -ENOMEM;
}
FAIL_NTH(fail_fork, "fail.fork",
	 "each allocation of a fork of touched memory fails once, and no child is left",
	 .prepare = prepare_anon, .op = fork_space, .check = still_mapped, .undo = drop,
	 .unmounted = true, .least = 6);

static int fork_and_store(struct fail_round *r)
{
	int err = fork_space(r);

	return err ? err : touch(r, 1, true); /* the parent copies */
}
FAIL_NTH(fail_fork_store, "fail.fork-store",
	 "each allocation of a fork and of the copy at the next store fails once",
	 .prepare = prepare_anon, .op = fork_and_store, .undo = drop, .unmounted = true,
	 .least = 7);

/* A pinned page is copied by fork itself. */
static int prepare_pinned(struct fail_round *r)
{
	int err = prepare_anon(r);

	r->got = err ? 0 : get_user_pages_fast(r->va, FAIL_PAGES, FOLL_PIN | FOLL_WRITE, r->pages);
	return err ? err : r->got == FAIL_PAGES ? 0 : -EFAULT;
}

static void drop_pinned(struct fail_round *r)
{
	if (r->got > 0)
		unpin_user_pages(r->pages, r->got);
	drop(r);
}
FAIL_NTH(fail_fork_pinned, "fail.fork-pinned",
	 "each allocation of a fork that copies pinned pages fails once", .prepare = prepare_pinned,
	 .op = fork_space, .check = still_mapped, .undo = drop_pinned, .unmounted = true,
	 .least = 6 + FAIL_PAGES);

/* ---- private mappings ------------------------------------------------------------------------ */

static int map_private(struct fail_round *r)
{
	return dax_mmap_private(r->mm, r->f, 0, 2 * FAIL_PAGES, true, &r->va);
}

static int copy_pages(struct fail_round *r)
{
	int err = map_private(r);

	err = err ? err : touch(r, 0, false);	       /* the file's page */
	err = err ? err : touch(r, 0, true);	       /* a copy in its place */
	err = err ? err : touch(r, 1, true);	       /* a copy at once */
	return err ? err : touch(r, FAIL_PAGES, true); /* of a hole */
}
FAIL_NTH(fail_private, "fail.private",
	 "each allocation of a private mapping and its copies fails once, of pages and of a hole",
	 .prepare = fail_prepare_file, .op = copy_pages, .undo = fail_undo_file, .least = 8);

static int prepare_copied(struct fail_round *r)
{
	int err = fail_prepare_file(r);

	return err ? err : copy_pages(r);
}

static void undo_forked(struct fail_round *r)
{
	if (r->child)
		mm_put(r->child);
	fail_undo_file(r);
}
FAIL_NTH(fail_fork_private, "fail.fork-private",
	 "each allocation of a fork of private copies fails once", .prepare = prepare_copied,
	 .op = fork_and_store, .undo = undo_forked, .least = 7);
