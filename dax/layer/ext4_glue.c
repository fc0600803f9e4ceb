/* SPDX-License-Identifier: MIT */
/*
 * Where the pure ext4 layer meets the machine: its memory is a pmem region, its write-back and
 * fence are the real instructions, and its blocks are pages that somebody may hold.
 */
#include "dax/layer/internal.h"
#include "dax/file/internal.h"

MUSEUM(skip_flush, "skip-flush",
       "the file layer's metadata is not written back; shown by selftest "
       "ext4.metadata-is-written-back and by a power cut");

MUSEUM(free_twice, "free-twice",
       "a truncate frees again what the one before it freed, though it has a new owner; "
       "shown by selftest ext4.freed-once");

MUSEUM(no_reserve, "no-reserve",
       "F-10: no block is set aside for freeing; on a full device a hole in the middle of "
       "an extent is not freed; shown by race F-10 (BROKEN I1) and selftest "
       "lifetime.busy-extent.frees-when-full");
MUSEUM(bitmap_first, "bitmap-before-tree",
       "F-11: blocks are free in the bitmap before they leave their file's tree; shown by "
       "race F-11 (BROKEN I7) and selftest lifetime.busy-extent.tree-before-bitmap");

MUSEUM(zero_once, "zero-tail-once",
       "F-6: the tail of a file's last block is zeroed when the file is cut, and not again when it "
       "grows; shown by race F-6 (BROKEN I1)");
MUSEUM(stale_block, "stale-block",
       "F-12: a fault uses the block that the last one found, though layouts have changed since; "
       "shown by race F-12 (BROKEN I1)");
STEP_POINT_DECLARE(ext4_writes_back);
STEP_POINT_DECLARE(block_looked_up);

static uint64_t first_pfn(const struct dax_fs *fs)
{
	return fs->region->start >> PAGE_SHIFT;
}

static void writeback(const void *p, size_t n)
{
	STEP_POINT(ext4_writes_back); /* F-11: what a cut of the power might leave */
	if (!museum_on(skip_flush))
		cache_writeback(p, n);
}

static void report(void *ctx, const char *line)
{
	const struct dax_fs *fs = ctx;

	kprintf("%s: %s\n", fs->region->name, line);
}

/* ext4 writes its sentences to where refuse() does: of the thread that fails, since faults look up
 * blocks without the lock of the file system. */
static char *why_text(void *ctx)
{
	(void)ctx;
	_Static_assert(REFUSAL_TEXT == EXT4_WHY, "room for a sentence");
	return refusal_buffer();
}

/* The first page that has a record, from where the runs begin on: the blocks of a large file lie
 * between tables, in many runs, and one look tells that nobody ever touched any. */
static const struct page *first_of_runs(const struct dax_fs *fs, const struct ext4_run *run,
					uint32_t n)
{
	uint64_t first = run->pblk, end = first + run->count;

	for (uint32_t i = 1; i < n; i++) {
		first = MIN(first, run[i].pblk);
		end = MAX(end, run[i].pblk + run[i].count);
	}
	/* From the 2 MiB of the first one on: if they are a folio, its first record counts. */
	return page_record_next(page_to_first(pfn_to_page(first_pfn(fs) + first)),
				pfn_to_page(first_pfn(fs) + end));
}

static inline void freeing_one(struct dax_fs *fs, const struct ext4_run *run, bool touched)
{
	fs->last_freed = run->pblk;
	fs->last_freed_count = run->count;
	fs->freed_early += ext4_block_free(ext4_of(fs), run->pblk);
	if (touched && fs->lifetime->freed)
		fs->lifetime->freed(fs, first_pfn(fs) + run->pblk, run->count);
}

static void __attribute__((noinline))
freeing_many(struct dax_fs *fs, const struct ext4_run *run, uint32_t n)
{
	const struct page *touched = fs->lifetime->freed ? first_of_runs(fs, run, n) : NULL;

	for (; n; n--, run++)
		freeing_one(fs, run, pfn_to_page(first_pfn(fs) + run->pblk + run->count) > touched);
}

/* Runs that a file gives up, as the file layer frees them; fs->lock held. */
static void freeing(void *ctx, struct ext4_inode *ip, const struct ext4_run *run, uint32_t n)
{
	(void)ip;
	if (likely(n == 1)) /* most files are small */
		freeing_one(ctx, run, true);
	else
		freeing_many(ctx, run, n);
}

static uint32_t idle_run(void *ctx, uint64_t pblk, uint32_t count)
{
	const struct dax_fs *fs = ctx;

	return fs->lifetime->idle_run(fs, first_pfn(fs) + pblk, count);
}

static bool may_take(void *ctx, uint64_t pblk, uint32_t count)
{
	const struct dax_fs *fs = ctx;

	return fs->lifetime->may_take(first_pfn(fs) + pblk, count);
}

/* The pure layer's own bugs on purpose. */
static bool museum(void *ctx, enum ext4_exhibit what)
{
	(void)ctx;
	switch (what) {
	case EXT4_NO_RESERVE: return museum_on(no_reserve);
	case EXT4_BITMAP_FIRST: return museum_on(bitmap_first);
	default: return museum_on(zero_once);
	}
}

static void free_twice(struct dax_fs *fs)
{
	if (!museum_on(free_twice) || !fs->last_freed_count)
		return;
	ext4_free_again(ext4_of(fs), fs->last_freed, fs->last_freed_count);
	fs->last_freed_count = 0;
}

/* for mounting by hand */
static struct ext4_env dax_ext4_env(struct dax_fs *fs)
{
	return (struct ext4_env){
		.base = fs->region->kaddr,
		.size = fs->region->len,
		.readonly = fs->region->readonly,
		.writeback = writeback,
		.fence = store_fence,
		.now = clock_unix,
		.ctx = fs,
		.idle_run = fs->lifetime->idle_run ? idle_run : NULL,
		.may_take = fs->lifetime->may_take ? may_take : NULL,
		.museum = museum,
		.freeing = freeing,
		.copy = copy_cached,
		.why = why_text,
		.report = report,
	};
}

/* ---- where blocks are ----------------------------------------------------------------------- */

/* map_lock and the fault lock held; m is what the file layer says of a run of written blocks. */
static void remember(struct dax_inode *inode, const struct ext4_map *m, uint64_t pfn)
{
	struct last_extent *last = &inode->last;

	/* Odd before the words, else a reader takes half of them for whole. */
	__atomic_store_n(&last->version, last->version + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&last->writes, inode->fault_lock.writes, __ATOMIC_RELAXED);
	__atomic_store_n(&last->pgoff, m->lblk, __ATOMIC_RELAXED);
	__atomic_store_n(&last->count, m->count, __ATOMIC_RELAXED);
	__atomic_store_n(&last->pfn, pfn, __ATOMIC_RELAXED);
	/* The words before the even number that vouches for them. */
	__atomic_store_n(&last->version, last->version + 1, __ATOMIC_RELEASE);
}

/* The same without asking: the pfn of page `pgoff`, and in *count how many follow it in file and
 * memory. 0: not remembered. The fault lock is held for reading, or it is not used. */
static inline uint64_t remembered(struct dax_inode *inode, uint64_t pgoff, uint64_t *count)
{
	const struct last_extent *last = &inode->last;
	uint32_t version = __atomic_load_n(&last->version, __ATOMIC_ACQUIRE);
	uint64_t in = pgoff - __atomic_load_n(&last->pgoff, __ATOMIC_RELAXED);
	uint64_t pages = __atomic_load_n(&last->count, __ATOMIC_RELAXED);
	uint64_t pfn = __atomic_load_n(&last->pfn, __ATOMIC_RELAXED) + in;
	uint32_t writes = __atomic_load_n(&last->writes, __ATOMIC_RELAXED);

	/* The words before the second look at their version. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (unlikely((version & 1) || in >= pages ||
		     (writes != inode->fault_lock.writes && !museum_on(stale_block)) ||
		     __atomic_load_n(&last->version, __ATOMIC_RELAXED) != version ||
		     rwsem_held_write(&inode->fault_lock)))
		return 0;
	*count = pages - in;
	return pfn;
}

/* A block for a fault, where there is none or one that was never written. map_lock held. */
static int make(struct dax_inode *inode, uint64_t pgoff, uint32_t want, struct ext4_map *m)
{
	struct dax_fs *fs = inode->fs;
	int err = layout_break_fault(inode, LEASE_LAYOUT);

	if (err)
		return err;
	mutex_lock(&fs->lock);
	err = ext4_map_blocks(ext4_inode_of(inode), pgoff, want, EXT4_MAP_CREATE, m);
	mutex_unlock(&fs->lock);
	return err == -ENOSPC ? refuse(err, "no free block for this page of the file") : err;
}

/*
 * Asks the file layer, and remembers what is written: all of it, not only what is wanted.
 *
 * Looking needs the file's own map_lock only, so faults on different files do not meet here: what
 * changes a file's tree of extents is a fault on it that makes a block, which holds map_lock, or a
 * layout change or write, which holds the fault lock for writing. Making a block takes it from the
 * whole file system, and so its lock as well.
 */
static int __attribute__((noinline))
ask(struct dax_inode *inode, uint64_t pgoff, uint32_t want, bool create, struct dax_run *run)
{
	struct dax_fs *fs = inode->fs;
	const uint64_t start = fs->region->start >> PAGE_SHIFT;
	struct ext4_map m;
	int err;

	mutex_lock(&inode->map_lock);
	err = ext4_map_blocks(ext4_inode_of(inode), pgoff, UINT32_MAX, 0, &m);
	if (!err && create && m.state != EXT4_WRITTEN)
		err = make(inode, pgoff, want, &m);
	if (!err && m.state == EXT4_WRITTEN)
		remember(inode, &m, start + m.pblk);
	mutex_unlock(&inode->map_lock);
	if (err)
		return err;
	*run = (struct dax_run){
		.count = MIN(m.count, want), .written = m.state == EXT4_WRITTEN, .fresh = m.fresh};
	if (m.state != EXT4_HOLE)
		run->pfn = start + m.pblk;
	return 0;
}

static int map(struct dax_inode *inode, uint64_t pgoff, bool create, struct dax_block *b)
{
	struct dax_run run;
	uint64_t count;
	int err;

	b->fresh = false;
	b->shared = false;
	b->pfn = remembered(inode, pgoff, &count);
	if (likely(b->pfn))
		return 0;
	err = ask(inode, pgoff, 1, create, &run);
	if (err)
		return err;
	STEP_POINT(block_looked_up); /* still under the fault lock: F-12 */
	b->fresh = run.fresh;
	b->pfn = run.written ? run.pfn : 0;
	return 0;
}

static int map_run(struct dax_inode *inode, uint64_t pgoff, uint32_t want, bool create,
		   struct dax_run *run)
{
	uint64_t count = 0;

	run->pfn = remembered(inode, pgoff, &count);
	/* Less than is wanted: what follows may be written by now, and contiguous. */
	if (unlikely(count < want))
		return ask(inode, pgoff, want, create, run);
	run->count = want;
	run->written = true;
	run->fresh = false;
	return 0;
}

/* ---- files and mounts ------------------------------------------------------------------------ */

static const char *forbids(const struct dax_inode *inode, bool adds)
{
	return ext4_forbids(ext4_inode_of(inode), adds);
}

static uint64_t size(const struct dax_inode *inode)
{
	return ext4_inode_of(inode)->size;
}

static int64_t read(struct dax_inode *inode, uint64_t off, void *buf, uint64_t len)
{
	return ext4_read(ext4_inode_of(inode), off, buf, len);
}

static int64_t write(struct dax_inode *inode, uint64_t off, const void *buf, uint64_t len)
{
	return ext4_write(ext4_inode_of(inode), off, buf, len);
}

static int set_size(struct dax_inode *inode, uint64_t bytes)
{
	return ext4_set_size(ext4_inode_of(inode), bytes);
}

static int zero(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	return ext4_zero_range(ext4_inode_of(inode), off, len);
}

static int allocate(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size)
{
	return ext4_fallocate(ext4_inode_of(inode), off, len,
			      keep_size ? EXT4_FALLOC_KEEP_SIZE : 0);
}

static int unwrite(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	return ext4_make_unwritten(ext4_inode_of(inode), first, last);
}

static int free_pages(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	free_twice(inode->fs);
	return ext4_free_blocks(ext4_inode_of(inode), first,
				last == DAX_TO_END ? EXT4_TO_END : last);
}

static int collapse(struct dax_inode *inode, uint64_t off, uint64_t len, enum dax_do what)
{
	struct ext4_inode *ip = ext4_inode_of(inode);

	return what == DAX_MAY ? ext4_check_collapse(ip, off, len)
			       : ext4_collapse_range(ip, off, len);
}

static int insert(struct dax_inode *inode, uint64_t off, uint64_t len, enum dax_do what)
{
	struct ext4_inode *ip = ext4_inode_of(inode);

	return what == DAX_MAY ? ext4_check_insert(ip, off, len) : ext4_insert_range(ip, off, len);
}

static int exchange(struct dax_inode *a, uint64_t off, struct dax_inode *b, uint64_t at,
		    uint64_t len, enum dax_do what)
{
	struct ext4_inode *x = ext4_inode_of(a), *y = ext4_inode_of(b);

	return what == DAX_MAY ? ext4_check_exchange(x, off, y, at, len)
			       : ext4_exchange_range(x, off, y, at, len);
}

static int sync(struct dax_inode *inode)
{
	return ext4_fsync(ext4_inode_of(inode));
}

static int stored(struct dax_inode *inode, uint32_t when)
{
	return ext4_stored(ext4_inode_of(inode), when);
}

static int lookup(struct dax_fs *fs, const void *layer, uint64_t pgoff, uint32_t want,
		  struct dax_run *run)
{
	struct ext4_map m;
	int err = ext4_map_blocks((struct ext4_inode *)layer, pgoff, want, 0, &m);

	*run = (struct dax_run){.count = m.count, .written = m.state == EXT4_WRITTEN};
	if (!err && m.state != EXT4_HOLE)
		run->pfn = first_pfn(fs) + m.pblk;
	return err;
}

static bool has_name(const struct dax_inode *inode)
{
	return ext4_inode_of(inode)->links != 0;
}

static void drop(struct dax_inode *inode)
{
	struct ext4_inode *ip = ext4_inode_of(inode);
	struct dax_fs *fs = inode->fs;

	ip->host = NULL;
	if (ext4_iput(ip) && ext4_evict(ip))
		warn("%s: %s", fs->region->name, ext4_why(ext4_of(fs)));
}

static int mount(struct dax_fs *fs, const struct mount_options *o)
{
	struct ext4_env env = dax_ext4_env(fs);
	char why[EXT4_WHY];
	int err = ext4_mount(&env, (struct ext4_fs **)&fs->layer, why, sizeof(why));

	(void)o;
	return err ? refuse(err, "%s", why) : 0;
}

static int unmount(struct dax_fs *fs)
{
	return ext4_unmount(ext4_of(fs));
}

static int check(struct dax_fs *fs, void (*say)(void *ctx, const char *line), void *ctx)
{
	return ext4_check(ext4_of(fs), say, ctx);
}

static bool owned(struct dax_fs *fs, uint64_t block)
{
	struct ext4_extent_info owner;

	return ext4_block_owner(ext4_of(fs), block, &owner) != -ENOENT;
}

static void space(struct dax_fs *fs, struct dax_space *out)
{
	struct ext4_statfs st;

	ext4_statfs(ext4_of(fs), &st);
	*out = (struct dax_space){
		.blocks = st.blocks,
		.free_blocks = st.free_blocks,
		.reserved_blocks = st.reserved_blocks,
		.inodes = st.inodes,
		.free_inodes = st.free_inodes,
		.enospc_busy = st.enospc_busy,
	};
}

static int sync_all(struct dax_fs *fs)
{
	return ext4_sync(ext4_of(fs));
}

static const struct dax_layer_ops ops = {
	.name = "ext4",
	.map_flags = MAP_SYNC | MAP_DIRECT,
	.map = map,
	.map_run = map_run,
	.forbids = forbids,
	.size = size,
	.read = read,
	.write = write,
	.set_size = set_size,
	.zero = zero,
	.allocate = allocate,
	.unwrite = unwrite,
	.free = free_pages,
	.collapse = collapse,
	.insert = insert,
	.exchange = exchange,
	.sync = sync,
	.stored = stored,
	.lookup = lookup,
	.walk = ext4_names_walk,
	.by_number = ext4_names_by_number,
	.names = ext4_names_next,
	.make_directory = ext4_names_make_directory,
	.remove_directory = ext4_names_remove_directory,
	.unlink = ext4_names_unlink,
	.put_node = ext4_names_put_node,
	.opened = ext4_names_opened,
	.has_name = has_name,
	.drop = drop,
	.mount = mount,
	.unmount = unmount,
	.space = space,
	.sync_all = sync_all,
	.check = check,
	.owned = owned,
	.barred = pmem_bars_ext4,
};
DAX_LAYER(ext4, ops);
