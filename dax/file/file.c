/* SPDX-License-Identifier: MIT */
/*
 * Operations on DAX files: where the file layer's blocks, the entries and the lifetime meet.
 *
 * A layout change (truncate, punch) has one order, whatever the lifetime:
 *   1. io_lock and fault_lock for writing: no write, no fault
 *   2. lifetime->break_layout: users of the range go away, or are waited for
 *   3. the new size is durable
 *   4. the range is unmapped, its entries go
 *   5. the blocks go: out of the extent tree first, then free in the bitmap
 * 2 before 4, else a page is freed that a device still writes; 4 before 5, else a fault could find
 * an entry that names another file's block.
 */
#include "dax/file/internal.h"

STEP_POINT_DECLARE(layout_broken); /* nobody was found busy, and nothing is freed yet: C-2 */

MUSEUM(keep_entry, "keep-entry",
       "truncate leaves the first entry of its range in the index; "
       "shown by selftest dax.truncate-empties-index");
MUSEUM(skip_fsync_line, "skip-fsync",
       "fsync fences without writing the dirty lines back; "
       "shown by selftest dax.fsync-writes-back-dirty-pages");
MUSEUM(entries_first, "entries-go-first",
       "entries go while their pages are still mapped: who takes a page by its mapping holds one "
       "that no file knows; found by explore file.gup-truncate");
MUSEUM(fsync_writable, "fsync-keeps-writable",
       "fsync cleans its marks and leaves the pages writable: the next store sets no mark; shown "
       "by selftest dax.fsync-cleans-all");
MUSEUM(fsync_late, "fsync-protects-late",
       "fsync writes the lines back before it takes the right to write: a store in between loses "
       "its mark; shown by selftest dax.fsync-protects-first");
MUSEUM(copies_stay, "copies-stay",
       "truncate leaves private copies behind the new end; shown by selftest "
       "private.truncate");

int fail_layer(struct dax_inode *inode, int err)
{
	return refuse(err, "%s: %s", inode->name, refusal());
}

void lock_layout(struct dax_inode *inode)
{
	down_write(&inode->io_lock);
	down_write(&inode->fault_lock);
	inode->last_break = (struct layout_break){0};
}

void unlock_layout(struct dax_inode *inode)
{
	up_write(&inode->fault_lock);
	up_write(&inode->io_lock);
}

static int free_blocks(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	int err;

	mutex_lock(&inode->fs->lock);
	err = inode->ops->free(inode, first, last);
	if (err)
		fail_layer(inode, err);
	mutex_unlock(&inode->fs->lock);
	return err;
}

/* Steps 4 and 5 for whole pages [first, last). */
static int free_range(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	STEP_POINT(layout_broken);
	if (museum_on(entries_first))
		entries_delete(inode, first, last);
	unmap_mapping_range(&inode->mapping, first, last);
	entries_delete(inode, museum_on(keep_entry) ? first + 1 : first, last);
	return free_blocks(inode, first, last);
}

static int set_size(struct dax_inode *inode, uint64_t size)
{
	int err;

	mutex_lock(&inode->fs->lock);
	err = inode->ops->set_size(inode, size);
	if (err)
		fail_layer(inode, err);
	else
		inode->size = size;
	mutex_unlock(&inode->fs->lock);
	return err;
}

/* Asked before anything is unmapped or waited for: a refusal must leave everything as it was. */
int may_change(struct dax_inode *inode, bool adds)
{
	const struct pmem_region *r = inode->fs->region;
	const char *why = inode_forbids(inode, adds);

	if (r->readonly)
		return refuse(-EROFS, "%s is read-only: %s", r->name, r->ro_reason);
	return why ? refuse(-EPERM, "%s is %s", inode->name, why) : 0;
}

int dax_truncate(struct dax_inode *inode, uint64_t size)
{
	uint64_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	int err = may_change(inode, false);
	bool grows;

	if (err)
		return err;
	lock_layout(inode);
	err = layout_break_size(inode, size);
	grows = size > inode->size;
	if (!err)
		err = set_size(inode, size);
	if (!err && !grows) { /* growing: blocks allocated ahead, behind the end, stay the file's */
		if (!museum_on(copies_stay))
			unmap_mapping_copies(&inode->mapping, first, DAX_TO_END);
		err = free_range(inode, first, DAX_TO_END);
	}
	unlock_layout(inode);
	return err;
}

/* Zeroes the parts of [off, end) that lie in pages which stay. */
int zero_edges(struct dax_inode *inode, uint64_t off, uint64_t end)
{
	uint64_t first = ALIGN_UP(off, PAGE_SIZE), last = ALIGN_DOWN(end, PAGE_SIZE);
	int err;

	mutex_lock(&inode->fs->lock);
	if (first >= last) {
		err = inode->ops->zero(inode, off, end - off);
	} else {
		err = inode->ops->zero(inode, off, first - off);
		if (!err)
			err = inode->ops->zero(inode, last, end - last);
	}
	if (err)
		fail_layer(inode, err);
	mutex_unlock(&inode->fs->lock);
	return err;
}

int dax_punch(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	uint64_t end = off + len, first = ALIGN_UP(off, PAGE_SIZE) >> PAGE_SHIFT;
	int err;

	if (!len || end < off || end > ALIGN_DOWN(UINT64_MAX, PAGE_SIZE))
		return refuse(-EINVAL, "a hole has at least one byte and ends below 2^64 - 4095");
	err = may_change(inode, false);
	if (err)
		return err;
	lock_layout(inode);
	err = layout_break(inode, off >> PAGE_SHIFT, ALIGN_UP(end, PAGE_SIZE) >> PAGE_SHIFT,
			   LAYOUT_SPACE);
	if (!err)
		err = zero_edges(inode, off, end);
	if (!err && first < end >> PAGE_SHIFT)
		err = free_range(inode, first, end >> PAGE_SHIFT);
	unlock_layout(inode);
	return err;
}

/* -ENOSPC, before anything is taken, if the holes of the range need more blocks than are free: a
 * slip of the pen must not fill the device. fs->lock held. */
int room_for(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	uint64_t at = off >> PAGE_SHIFT, end = ((off + len - 1) >> PAGE_SHIFT) + 1, need = 0;
	struct dax_fs *fs = inode->fs;
	struct dax_space st;
	struct dax_run run;

	if (!fs->ops->space)
		return 0;
	fs->ops->space(fs, &st);
	for (; at < end && need <= st.free_blocks; at += run.count) {
		if (fs->ops->lookup(fs, inode->layer, at, MIN(end - at, 1ul << 30), &run))
			return 0; /* the file layer itself says what is wrong with the range */
		need += run.pfn ? 0 : run.count;
	}
	if (need + st.reserved_blocks <= st.free_blocks)
		return 0;
	return refuse(-ENOSPC, "%s: %s%lu blocks are needed, %lu are free; nothing was taken",
		      inode->name, at < end ? "more than " : "", need,
		      st.free_blocks - st.reserved_blocks);
}

int dax_fallocate(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size)
{
	int err;

	if (!len || off + len < off)
		return refuse(-EINVAL, "a range has at least one byte and ends below 2^64");
	err = inode->ops->allocate ? may_change(inode, true)
				   : layer_lacks(inode->fs, "allocate ahead of a store");
	if (err)
		return err;
	lock_layout(inode);
	err = layout_break(inode, off >> PAGE_SHIFT, DAX_TO_END, LAYOUT_WRITE);
	mutex_lock(&inode->fs->lock);
	if (!err)
		err = room_for(inode, off, len);
	if (!err) {
		err = inode->ops->allocate(inode, off, len, keep_size);
		if (err)
			fail_layer(inode, err);
	}
	inode->size = inode->ops->size(inode);
	mutex_unlock(&inode->fs->lock);
	unlock_layout(inode);
	return err;
}

int64_t dax_read(struct dax_inode *inode, uint64_t off, void *buf, uint64_t len)
{
	int64_t n;

	if (!inode->ops->read)
		return layer_lacks(inode->fs, "copy from a file: map it");
	down_read(&inode->io_lock);
	mutex_lock(&inode->fs->lock);
	n = inode->ops->read(inode, off, buf, len);
	if (n < 0)
		fail_layer(inode, n);
	mutex_unlock(&inode->fs->lock);
	up_read(&inode->io_lock);
	return n;
}

/* Takes zeroes that are mapped in [first, last) away; pages with an entry show blocks, and stay. */
static void unmap_holes(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	while (first < last) {
		uint64_t next = first, entry = entry_next(inode, &next, last);

		if (!entry)
			next = last;
		if (first < next)
			unmap_mapping_range(&inode->mapping, first, next);
		first = next + entry_pages(entry);
	}
}

/*
 * Blocks that the write filled in where a hole was may still be mapped as zeroes. The fault lock is
 * held from before the block exists until those mappings are gone, else a fault in between finds
 * the block, makes an entry for it, and the zeroes elsewhere look like mappings of that entry.
 */
int64_t dax_write(struct dax_inode *inode, uint64_t off, const void *buf, uint64_t len)
{
	int64_t n;

	INTENDED_RACE("a refusal before anything is locked; the file layer asks once more, locked");
	n = inode->ops->write ? may_change(inode, off >= inode->size)
			      : layer_lacks(inode->fs, "copy into a file: map it");
	if (n)
		return n;
	down_write(&inode->io_lock);
	down_write(&inode->fault_lock);
	n = layout_break(inode, 0, 0, LAYOUT_WRITE);
	mutex_lock(&inode->fs->lock);
	if (!n) {
		n = inode->ops->write(inode, off, buf, len);
		if (n < 0)
			fail_layer(inode, n);
	}
	mutex_unlock(&inode->fs->lock);
	inode->size = inode->ops->size(inode);
	if (n > 0 && mapping_mapped(&inode->mapping))
		unmap_holes(inode, off >> PAGE_SHIFT, ((off + n - 1) >> PAGE_SHIFT) + 1);
	up_write(&inode->fault_lock);
	up_write(&inode->io_lock);
	return n;
}

/* The lines of a run of dirty entries, locked, go back; the stores that follow fault again. */
static bool write_run_back(struct dax_inode *inode, const struct entry_run *run)
{
	const uint64_t pages = run_pages(run);
	bool done = true;

	/* Write-protect before the write-back, else a store after it stays unseen. */
	if (!museum_on(fsync_writable) && !museum_on(fsync_late))
		clean_mapping_range(&inode->mapping, run->pgoff, run->pgoff + pages);
	if (!museum_on(skip_fsync_line))
		done = run_write_back(run);
	if (museum_on(fsync_late))
		clean_mapping_range(&inode->mapping, run->pgoff, run->pgoff + pages);
	entries_unlock(inode, run, done); /* else the next fsync would find nothing to do */
	return done;
}

/* Value: pages that could not be written back; zero: none. *wrote: there were dirty ones. */
static uint64_t write_entries_back(struct dax_inode *inode, uint64_t at, uint64_t last, bool *wrote)
{
	struct entry_run run;
	uint64_t lost = 0;

	for (*wrote = false; entries_lock_dirty(inode, &at, last, &run); *wrote = true)
		lost += write_run_back(inode, &run) ? 0 : run_pages(&run);
	return lost;
}

int dax_fsync_range(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint64_t lost;
	bool wrote;
	int err;

	down_read(&inode->fault_lock);
	lost = write_entries_back(inode, first, last, &wrote);
	mutex_lock(&inode->fs->lock);
	err = times_settle(inode, wrote);
	if (!err)
		err = inode->ops->sync(inode); /* fences */
	if (err)
		fail_layer(inode, err);
	mutex_unlock(&inode->fs->lock);
	up_read(&inode->fault_lock);
	if (lost)
		return refuse(-EIO,
			      "%s: %lu page(s) cannot be written back: their entries hold "
			      "sectors, and the device that knows where those are is dead (A-2)",
			      inode->name, lost);
	return err;
}

int dax_fsync(struct dax_inode *inode)
{
	return dax_fsync_range(inode, 0, DAX_TO_END);
}
