/* SPDX-License-Identifier: MIT */
/*
 * Where the pure ext4 layer meets the machine: its memory is a pmem region, its write-back and
 * fence are the real instructions, and its blocks are pages that somebody may hold.
 */
#include "dax/internal.h"

MUSEUM(skip_flush, "skip-flush",
       "the file layer's metadata is not written back; shown by selftest "
       "ext4.metadata-is-written-back and by a power cut");

MUSEUM(free_twice, "free-twice",
       "a truncate frees again what the one before it freed, though it has a new owner; "
       "shown by selftest ext4.freed-once");

static void writeback(const void *p, size_t n)
{
	if (!museum_on(skip_flush))
		cache_writeback(p, n);
}

static void report(void *ctx, const char *line)
{
	const struct dax_fs *fs = ctx;

	kprintf("%s: %s\n", fs->region->name, line);
}

/* Runs that files give up, as the file layer frees them; fs->lock held. */
static void freeing(void *ctx, struct ext4_inode *ip, uint64_t pblk, uint32_t count)
{
	struct dax_fs *fs = ctx;

	(void)ip;
	fs->last_freed = pblk;
	fs->last_freed_count = count;
}

void dax_free_twice(struct dax_fs *fs)
{
	if (!museum_on(free_twice) || !fs->last_freed_count)
		return;
	ext4_free_again(fs->ext4, fs->last_freed, fs->last_freed_count);
	fs->last_freed_count = 0;
}

struct ext4_env dax_ext4_env(struct dax_fs *fs)
{
	return (struct ext4_env){
		.base = fs->region->kaddr,
		.size = fs->region->len,
		.readonly = fs->region->readonly,
		.writeback = writeback,
		.fence = store_fence,
		.now = clock_unix,
		.ctx = fs,
		.freeing = freeing,
		.report = report,
	};
}

static int map(struct dax_inode *inode, uint64_t pgoff, bool create, struct dax_block *b,
	       const char **why)
{
	struct dax_fs *fs = inode->fs;
	struct ext4_map m;
	int err;

	mutex_lock(&fs->lock);
	err = ext4_map_blocks(inode->ip, pgoff, 1, create ? EXT4_MAP_CREATE : 0, &m);
	if (err)
		*why = err == -ENOSPC ? "no free block for this page of the file"
				      : "the file layer could not find or make the block";
	mutex_unlock(&fs->lock);
	if (err)
		return err;
	*b = (struct dax_block){.fresh = m.fresh};
	if (m.state == EXT4_WRITTEN)
		b->pfn = (fs->region->start >> PAGE_SHIFT) + m.pblk;
	return 0;
}

static int map_run(struct dax_inode *inode, uint64_t pgoff, uint32_t want, bool create,
		   struct dax_run *run, const char **why)
{
	struct dax_fs *fs = inode->fs;
	struct ext4_map m;
	int err;

	mutex_lock(&fs->lock);
	err = ext4_map_blocks(inode->ip, pgoff, want, create ? EXT4_MAP_CREATE : 0, &m);
	if (err)
		*why = err == -ENOSPC ? "no free blocks for these pages of the file"
				      : "the file layer could not find or make the blocks";
	mutex_unlock(&fs->lock);
	if (err)
		return err;
	*run = (struct dax_run){
		.count = m.count, .written = m.state == EXT4_WRITTEN, .fresh = m.fresh};
	if (m.state != EXT4_HOLE)
		run->pfn = (fs->region->start >> PAGE_SHIFT) + m.pblk;
	return 0;
}

const struct dax_layer_ops dax_ext4_ops = {.name = "ext4", .map = map, .map_run = map_run};
