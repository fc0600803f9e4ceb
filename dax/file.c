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
#include "dax/internal.h"

MUSEUM(keep_entry, "keep-entry",
       "truncate leaves the first entry of its range in the index; "
       "shown by selftest dax.truncate-empties-index");
MUSEUM(skip_fsync_line, "skip-fsync",
       "fsync fences without writing the dirty lines back; "
       "shown by selftest dax.fsync-writes-back-dirty-pages");

static int fail_ext4(struct dax_inode *inode, int err)
{
	return dax_refuse(err, "%s: %s", inode->name, ext4_why(inode->fs->ext4));
}

static void lock_layout(struct dax_inode *inode)
{
	down_write(&inode->io_lock);
	down_write(&inode->fault_lock);
	inode->last_break = (struct layout_break){0};
}

static void unlock_layout(struct dax_inode *inode)
{
	up_write(&inode->fault_lock);
	up_write(&inode->io_lock);
}

/* Steps 4 and 5 for whole pages [first, last). */
static int free_range(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	int err;

	unmap_mapping_range(&inode->mapping, first, last);
	entries_delete(inode, museum_on(keep_entry) ? first + 1 : first, last);
	mutex_lock(&inode->fs->lock);
	dax_free_twice(inode->fs);
	err = ext4_free_blocks(inode->ip, first, last == DAX_TO_END ? EXT4_TO_END : last);
	if (err)
		fail_ext4(inode, err);
	mutex_unlock(&inode->fs->lock);
	return err;
}

static int set_size(struct dax_inode *inode, uint64_t size)
{
	int err;

	mutex_lock(&inode->fs->lock);
	err = ext4_set_size(inode->ip, size);
	if (err)
		fail_ext4(inode, err);
	else
		inode->size = size;
	mutex_unlock(&inode->fs->lock);
	return err;
}

int dax_truncate(struct dax_inode *inode, uint64_t size)
{
	uint64_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	int err = 0;

	lock_layout(inode);
	if (size < inode->size)
		err = inode->fs->lifetime->break_layout(inode, size >> PAGE_SHIFT, DAX_TO_END);
	if (err)
		dax_refuse(err, "interrupted while waiting for %s; nothing was changed",
			   inode->name);
	if (!err)
		err = set_size(inode, size);
	if (!err)
		err = free_range(inode, first, DAX_TO_END);
	unlock_layout(inode);
	return err;
}

/* Zeroes the parts of [off, end) that lie in pages which stay. */
static int zero_edges(struct dax_inode *inode, uint64_t off, uint64_t end)
{
	uint64_t first = ALIGN_UP(off, PAGE_SIZE), last = ALIGN_DOWN(end, PAGE_SIZE);
	int err;

	mutex_lock(&inode->fs->lock);
	if (first >= last) {
		err = ext4_zero_range(inode->ip, off, end - off);
	} else {
		err = ext4_zero_range(inode->ip, off, first - off);
		if (!err)
			err = ext4_zero_range(inode->ip, last, end - last);
	}
	if (err)
		fail_ext4(inode, err);
	mutex_unlock(&inode->fs->lock);
	return err;
}

int dax_punch(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	uint64_t end = off + len, first = ALIGN_UP(off, PAGE_SIZE) >> PAGE_SHIFT;
	int err;

	if (!len || end < off)
		return dax_refuse(-EINVAL, "a hole has at least one byte and ends below 2^64");
	lock_layout(inode);
	err = inode->fs->lifetime->break_layout(inode, off >> PAGE_SHIFT,
						ALIGN_UP(end, PAGE_SIZE) >> PAGE_SHIFT);
	if (err)
		dax_refuse(err, "interrupted while waiting for %s; nothing was changed",
			   inode->name);
	if (!err)
		err = zero_edges(inode, off, end);
	if (!err && first < end >> PAGE_SHIFT)
		err = free_range(inode, first, end >> PAGE_SHIFT);
	unlock_layout(inode);
	return err;
}

int dax_fallocate(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size)
{
	int err;

	if (!len || off + len < off)
		return dax_refuse(-EINVAL, "a range has at least one byte and ends below 2^64");
	lock_layout(inode);
	mutex_lock(&inode->fs->lock);
	err = ext4_fallocate(inode->ip, off, len, keep_size ? EXT4_FALLOC_KEEP_SIZE : 0);
	if (err)
		fail_ext4(inode, err);
	inode->size = inode->ip->size;
	mutex_unlock(&inode->fs->lock);
	unlock_layout(inode);
	return err;
}

int64_t dax_read(struct dax_inode *inode, uint64_t off, void *buf, uint64_t len)
{
	int64_t n;

	down_read(&inode->io_lock);
	mutex_lock(&inode->fs->lock);
	n = ext4_read(inode->ip, off, buf, len);
	if (n < 0)
		fail_ext4(inode, n);
	mutex_unlock(&inode->fs->lock);
	up_read(&inode->io_lock);
	return n;
}

/* Takes zeroes that are mapped in [first, last) away; pages with an entry show blocks, and stay. */
static void unmap_holes(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	while (first < last) {
		uint64_t next = first;

		if (!entry_next(inode, &next, last))
			next = last;
		if (first < next)
			unmap_mapping_range(&inode->mapping, first, next);
		first = next + 1;
	}
}

/*
 * Blocks that the write filled in where a hole was may still be mapped as zeroes. A read fault that
 * saw the hole holds the fault lock until it has mapped it, so once we get the lock for writing,
 * every such mapping is there to be taken away.
 */
int64_t dax_write(struct dax_inode *inode, uint64_t off, const void *buf, uint64_t len)
{
	int64_t n;

	down_write(&inode->io_lock);
	mutex_lock(&inode->fs->lock);
	n = ext4_write(inode->ip, off, buf, len);
	if (n < 0)
		fail_ext4(inode, n);
	mutex_unlock(&inode->fs->lock);
	down_write(&inode->fault_lock);
	inode->size = inode->ip->size;
	if (n > 0)
		unmap_holes(inode, off >> PAGE_SHIFT, ((off + n - 1) >> PAGE_SHIFT) + 1);
	up_write(&inode->fault_lock);
	up_write(&inode->io_lock);
	return n;
}

/* Entries that a mapping stored to: their lines go back, the stores that follow fault again. */
static void write_entries_back(struct dax_inode *inode)
{
	uint64_t at = 0, entry;

	for (; (entry = entry_next(inode, &at, DAX_TO_END)); at++) {
		if (!(entry & ENTRY_DIRTY))
			continue;
		entry = entry_lock(inode, at);
		if (entry & ENTRY_DIRTY) {
			/* Write-protect before the write-back, else a store after it stays unseen. */
			clean_mapping_range(&inode->mapping, at, at + 1);
			if (!museum_on(skip_fsync_line))
				cache_writeback(phys_to_virt(entry & PTE_PHYS), PAGE_SIZE);
		}
		entry_unlock(inode, at, entry & ~ENTRY_DIRTY);
	}
}

int dax_fsync(struct dax_inode *inode)
{
	int err;

	down_read(&inode->fault_lock);
	write_entries_back(inode);
	mutex_lock(&inode->fs->lock);
	err = ext4_fsync(inode->ip); /* fences */
	if (err)
		fail_ext4(inode, err);
	mutex_unlock(&inode->fs->lock);
	up_read(&inode->fault_lock);
	return err;
}
