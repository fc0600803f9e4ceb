/* SPDX-License-Identifier: MIT */
/*
 * Reshaping a DAX file: zero range, collapse range, insert range. (Two files: exchange.c.)
 *
 * The order is that of every layout change (file.c): locks; users of the range go away or are
 * waited for; unmap; entries go; the file layer changes. What differs is the range and what becomes
 * of its blocks:
 *
 *   zero      the range; its blocks stay where they are, unwritten: no entry may show them
 *   collapse  from the range to the end; some blocks are freed, the others move to another offset
 *   insert    from the offset to the end; all of them move
 *
 * A moved block keeps its bytes and loses its entry, so what the entry had dirty is written back
 * before, as the mark that fsync looks for goes with it.
 *
 * Held pages. A lifetime that waits has no held page left when it comes to the change. In one that
 * does not, a moved block that somebody holds keeps its bytes; a late write lands at the new
 * offset of the same file.
 */
#include "dax/file/internal.h"

void unmap_and_write_back(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint64_t from = first, to = last;
	struct entry_run run;

	if (inode->nr_huge) { /* one that reaches over an end goes as a whole */
		from = ALIGN_DOWN(first, FOLIO_PAGES);
		to = ALIGN_UP(last, FOLIO_PAGES);
	}
	unmap_mapping_range(&inode->mapping, from, to);
	while (entries_lock_dirty(inode, &first, last, &run)) {
		entries_unlock(inode, &run, run_write_back(&run));
	}
	/* The file layer fences before its commit, and so does fsync if there is none. */
}

/* 0, -EROFS, -EOPNOTSUPP; asked before anything is unmapped or waited for. */
static int may_reshape(struct dax_inode *inode)
{
	if (!inode->ops->collapse || !inode->ops->insert || !inode->ops->unwrite ||
	    !inode->ops->allocate)
		return layer_lacks(inode->fs, "move blocks within a file");
	return may_change(inode, false);
}

/* Step 4 for blocks that move. */
static void detach(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	unmap_and_write_back(inode, first, last);
	entries_delete(inode, first, last);
}

/* ---- zero range ------------------------------------------------------------------------- */

/* The holes get blocks; with them the range is as large as it will be. */
static int fill_holes(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	int err;

	mutex_lock(&inode->fs->lock);
	err = room_for(inode, off, len);
	if (!err) {
		err = inode->ops->allocate(inode, off, len, true);
		if (err)
			fail_layer(inode, err);
	}
	mutex_unlock(&inode->fs->lock);
	return err;
}

/* Whole pages [first, last) become unwritten, and the file at least `size` bytes long. */
static int unwrite(struct dax_inode *inode, uint64_t first, uint64_t last, uint64_t size)
{
	int err = 0;

	if (first < last) {
		/* Before the blocks are unwritten, else a store through a mapping is forgotten. */
		unmap_mapping_range(&inode->mapping, first, last);
		entries_delete(inode, first, last);
	}
	mutex_lock(&inode->fs->lock);
	if (first < last)
		err = inode->ops->unwrite(inode, first, last);
	if (!err && size > inode->ops->size(inode))
		err = inode->ops->set_size(inode, size);
	if (err)
		fail_layer(inode, err);
	inode->size = inode->ops->size(inode);
	mutex_unlock(&inode->fs->lock);
	return err;
}

int dax_zero_range(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size)
{
	uint64_t end = off + len, first = ALIGN_UP(off, PAGE_SIZE) >> PAGE_SHIFT;
	int err = may_reshape(inode);

	if (!len || end < off || end > ALIGN_DOWN(UINT64_MAX, PAGE_SIZE))
		return refuse(-EINVAL, "a range has at least one byte and ends below 2^64 - 4095");
	if (err)
		return err;
	lock_layout(inode);
	err = layout_break(inode, off >> PAGE_SHIFT, ALIGN_UP(end, PAGE_SIZE) >> PAGE_SHIFT,
			   LAYOUT_SPACE);
	if (!err)
		err = fill_holes(inode, off, len);
	if (!err)
		err = zero_edges(inode, off, end);
	if (!err)
		err = unwrite(inode, first, end >> PAGE_SHIFT, keep_size ? 0 : end);
	unlock_layout(inode);
	return err;
}

/* ---- collapse and insert ---------------------------------------------------------------- */

/* The two have the same steps. */
static int shift(struct dax_inode *inode, uint64_t off, uint64_t len, bool collapses)
{
	int (*op)(struct dax_inode *, uint64_t, uint64_t, enum dax_do);
	uint64_t end;
	int err = may_reshape(inode);

	if (err)
		return err;
	op = collapses ? inode->ops->collapse : inode->ops->insert;
	lock_layout(inode);
	mutex_lock(&inode->fs->lock);
	err = op(inode, off, len, DAX_MAY);
	if (err)
		fail_layer(inode, err);
	mutex_unlock(&inode->fs->lock);
	if (!err)
		err = layout_break(inode, off >> PAGE_SHIFT, DAX_TO_END, LAYOUT_SPACE);
	if (err)
		goto out;
	detach(inode, off >> PAGE_SHIFT, DAX_TO_END);
	mutex_lock(&inode->fs->lock);
	err = op(inode, off, len, DAX_DO);
	if (err)
		fail_layer(inode, err);
	inode->size = inode->ops->size(inode);
	mutex_unlock(&inode->fs->lock);
	/* Copies of private mappings stay at their offsets, as after a punch, but not behind the
	 * end of the file. */
	end = ALIGN_UP(inode->size, PAGE_SIZE) >> PAGE_SHIFT;
	unmap_mapping_copies(&inode->mapping, end, DAX_TO_END);
out:
	unlock_layout(inode);
	return err;
}

int dax_collapse(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	return shift(inode, off, len, true);
}

int dax_insert(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	return shift(inode, off, len, false);
}
