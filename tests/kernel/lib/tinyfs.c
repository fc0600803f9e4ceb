/* SPDX-License-Identifier: MIT */
/*
 * The tiny file layer; see tinyfs.h. What DAX asks of a file layer, in the fewest lines.
 *
 * A block has as many owners as there are file pages that name it. A store to one with several
 * makes a copy first, durable before the file names it. A block without an owner is free, except
 * that one which somebody still holds is not given away (dax_block_blocked(), I1): the lifetime is
 * told of it before its owner count becomes zero.
 *
 * Where a file has its blocks is written to the device's first block too, and lazily: written back
 * at once, durable with the next fence of whoever asks for one. (ext4 is durable at once.) Nobody
 * reads it; it is there for a power cut to lose.
 */
#include "tests/kernel/lib/tinyfs_layer.h"

static uint64_t block_to_pfn(const struct dax_fs *fs, uint32_t block)
{
	return block ? (fs->region->start >> PAGE_SHIFT) + block : 0;
}

static char *bytes_of(const struct dax_fs *fs, uint32_t block)
{
	return phys_to_virt(block_to_pfn(fs, block) << PAGE_SHIFT);
}

/* A block with one owner: the caller's. Zero: there is none. */
static uint32_t take(struct dax_fs *fs)
{
	for (uint32_t b = 1; b < TINY_BLOCKS; b++)
		if (!tinyfs_of(fs)->owners[b] && !dax_block_blocked(fs, block_to_pfn(fs, b))) {
			tinyfs_of(fs)->owners[b] = 1;
			return b;
		}
	return 0;
}

static void give_up(struct dax_fs *fs, uint32_t block)
{
	unsigned *owners = &tinyfs_of(fs)->owners[block];

	/* Told before the block is free, else it is given away while somebody holds it. */
	if (*owners == 1 && fs->lifetime->freed)
		fs->lifetime->freed(fs, block_to_pfn(fs, block), 1);
	--*owners;
}

#define TABLE_AT 2048u /* bytes: behind where superblocks are looked for */

/* The block map, of which the layer itself has a copy in RAM. */
static void note_owner(struct dax_inode *inode, uint64_t pgoff, uint32_t block)
{
	uint32_t *row = (uint32_t *)((char *)inode->fs->region->kaddr + TABLE_AT) + block;

	_Static_assert(TABLE_AT + TINY_BLOCKS * sizeof(*row) <= PAGE_SIZE, "it is one block");
	*row = tiny_of(inode)->number << 16 | (uint32_t)pgoff;
	cache_writeback(row, sizeof(*row));
}

/* The page gets a block of its own, with the contents that it had. */
static int make_own(struct dax_inode *inode, uint64_t pgoff)
{
	uint32_t *slot = &tiny_of(inode)->block[pgoff], old = *slot;
	uint32_t block = take(inode->fs);

	if (!block)
		return refuse(-ENOSPC, "all %u blocks are in use", TINY_BLOCKS - 1);
	if (old)
		memcpy(bytes_of(inode->fs, block), bytes_of(inode->fs, old), PAGE_SIZE);
	else
		memset(bytes_of(inode->fs, block), 0, PAGE_SIZE);
	cache_writeback(bytes_of(inode->fs, block), PAGE_SIZE);
	store_fence();
	*slot = block;
	note_owner(inode, pgoff, block);
	if (old)
		give_up(inode->fs, old);
	return 0;
}

/* ---- what the fault path asks ------------------------------------------------------------- */

static int map(struct dax_inode *inode, uint64_t pgoff, bool create, struct dax_block *b)
{
	const struct tinyfs *t = tinyfs_of(inode->fs);
	const uint32_t *slot = &tiny_of(inode)->block[pgoff];
	int err = 0;

	*b = (struct dax_block){0};
	mutex_lock(&inode->fs->lock);
	if (create && (!*slot || t->owners[*slot] > 1)) {
		err = layout_break_fault(inode, *slot ? LEASE_ALL : LEASE_LAYOUT);
		if (!err && make_own(inode, pgoff))
			err = refuse(-ENOSPC, "no free block for this page of the file");
		b->fresh = true;
	}
	b->pfn = block_to_pfn(inode->fs, *slot);
	b->shared = *slot && t->owners[*slot] > 1;
	mutex_unlock(&inode->fs->lock);
	return err;
}

static int map_run(struct dax_inode *inode, uint64_t pgoff, uint32_t want, bool create,
		   struct dax_run *run)
{
	struct dax_block b;
	int err = map(inode, pgoff, create, &b);

	(void)want; /* a page at a time, so nothing is mapped by 2 MiB */
	*run = (struct dax_run){.pfn = b.pfn, .count = 1, .written = b.pfn != 0, .fresh = b.fresh};
	return err;
}

/* ---- files -------------------------------------------------------------------------------- */

static uint64_t size(const struct dax_inode *inode)
{
	return tiny_of(inode)->size;
}

static int set_size(struct dax_inode *inode, uint64_t bytes)
{
	if (bytes % PAGE_SIZE || bytes > TINY_PAGES * PAGE_SIZE)
		return refuse(-EINVAL, "a size is a multiple of 4096, up to %lu",
			      TINY_PAGES * PAGE_SIZE);
	tiny_of(inode)->size = bytes;
	return 0;
}

static int64_t read(struct dax_inode *inode, uint64_t off, void *buf, uint64_t len)
{
	struct tiny *file = tiny_of(inode);
	uint64_t n = off < file->size ? MIN(len, file->size - off) : 0;

	for (uint64_t done = 0, part; done < n; done += part) {
		uint64_t at = off + done, in = at % PAGE_SIZE;
		uint32_t block = file->block[at / PAGE_SIZE];

		part = MIN(n - done, PAGE_SIZE - in);
		if (block)
			memcpy((char *)buf + done, bytes_of(inode->fs, block) + in, part);
		else
			memset((char *)buf + done, 0, part);
	}
	return (int64_t)n;
}

/* The file grows by whole pages. What it shares becomes its own, page by page. */
static int64_t write(struct dax_inode *inode, uint64_t off, const void *buf, uint64_t len)
{
	struct tiny *file = tiny_of(inode);
	uint64_t done = 0, part;

	if (off > TINY_PAGES * PAGE_SIZE || len > TINY_PAGES * PAGE_SIZE - off)
		return refuse(-EFBIG, "a file has at most %u pages", TINY_PAGES);
	for (; done < len; done += part) {
		uint64_t at = off + done, in = at % PAGE_SIZE;
		uint32_t *slot = &file->block[at / PAGE_SIZE];

		part = MIN(len - done, PAGE_SIZE - in);
		if ((!*slot || tinyfs_of(inode->fs)->owners[*slot] > 1) &&
		    make_own(inode, at / PAGE_SIZE))
			break;
		memcpy(bytes_of(inode->fs, *slot) + in, (const char *)buf + done, part);
		cache_writeback(bytes_of(inode->fs, *slot) + in, part);
	}
	if (done)
		file->size = MAX(file->size, ALIGN_UP(off + done, PAGE_SIZE));
	return done || !len ? (int64_t)done : -ENOSPC;
}

static int zero(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	(void)inode;
	return len ? refuse(-EINVAL, "%lu bytes at %lu: ranges are whole pages", len, off) : 0;
}

static int free_pages(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint32_t *block = tiny_of(inode)->block;

	for (; first < last && first < TINY_PAGES; first++) {
		if (block[first])
			give_up(inode->fs, block[first]);
		block[first] = 0;
	}
	return 0;
}

static int sync(struct dax_inode *inode)
{
	(void)inode;
	store_fence();
	return 0;
}

static int lookup(struct dax_fs *fs, const void *layer, uint64_t pgoff, uint32_t want,
		  struct dax_run *run)
{
	uint32_t block = ((const struct tiny *)layer)->block[pgoff];
	uint64_t pfn = block_to_pfn(fs, block);

	(void)want;
	*run = (struct dax_run){.pfn = pfn,
				.count = 1,
				.written = pfn != 0,
				.shared = block && tinyfs_of(fs)->owners[block] > 1};
	return 0;
}

static int share(struct dax_inode *from, uint64_t first, struct dax_inode *to, uint64_t at,
		 uint64_t n)
{
	const uint32_t *source = tiny_of(from)->block + first;
	uint32_t *target = tiny_of(to)->block + at;

	for (uint64_t i = 0; i < n; i++)
		if (target[i])
			return refuse(-EEXIST, "page %lu of %s is no hole", at + i, to->name);
	for (uint64_t i = 0; i < n; i++) {
		target[i] = source[i];
		tinyfs_of(to->fs)->owners[source[i]] += source[i] != 0;
	}
	return 0;
}

struct tiny *tiny_new(struct dax_fs *fs, uint64_t bytes)
{
	struct tiny *file = calloc(1, sizeof(*file));

	if (file) {
		file->number = ++tinyfs_of(fs)->last_number;
		file->size = bytes;
	}
	return file;
}

void tiny_free(struct dax_fs *fs, struct tiny *file)
{
	for (unsigned i = 0; i < TINY_PAGES; i++)
		if (file->block[i])
			give_up(fs, file->block[i]);
	free(file);
}

struct dax_inode *tiny_file(struct dax_fs *fs, const char *name, unsigned pages)
{
	struct dax_inode *inode = NULL;
	struct tiny *file;

	mutex_lock(&fs->lock);
	file = tiny_new(fs, pages * PAGE_SIZE);
	if (file)
		inode = dax_inode_new(fs, file->number, file->size, name);
	if (inode) {
		inode->layer = file;
		file->open = inode;
	} else {
		free(file);
	}
	mutex_unlock(&fs->lock);
	return inode;
}

/* ---- mounts ------------------------------------------------------------------------------- */

/* Block 0 is nobody's, but an ext4 may have been there: with its other blocks overwritten, nobody
 * may take the device for one. */
static void wipe_superblock(struct pmem_region *r)
{
	memset(r->kaddr, 0, PAGE_SIZE);
	cache_writeback(r->kaddr, PAGE_SIZE);
	store_fence();
}

static int mount(struct dax_fs *fs, const struct mount_options *o)
{
	struct pmem_region *r = fs->region;

	(void)o;
	if (r->readonly)
		return refuse(-EROFS, "tinyfs is made at each mount, and the region is read-only");
	fs->layer = calloc(1, sizeof(struct tinyfs));
	if (!fs->layer)
		return refuse(-ENOMEM, "no memory");
	tinyfs_of(fs)->last_number = TINY_ROOT;
	LIST_INIT(&tinyfs_of(fs)->named);
	wipe_superblock(r);
	return 0;
}

/* Nobody has a file open: those with a name go with the mount. */
static int unmount(struct dax_fs *fs)
{
	struct tiny *file;

	while ((file = LIST_FIRST(&tinyfs_of(fs)->named))) {
		LIST_REMOVE(file, link);
		tiny_free(fs, file);
	}
	for (uint32_t b = 1; b < TINY_BLOCKS; b++)
		if (tinyfs_of(fs)->owners[b])
			return refuse(-EBUSY, "block %u still has an owner", b);
	free(fs->layer);
	return 0;
}

static void count_blocks(const struct tiny *file, unsigned *counted)
{
	for (unsigned i = 0; i < TINY_PAGES; i++)
		counted[file->block[i]]++;
}

/* Every block has as many owners as there are file pages that name it. */
static int check(struct dax_fs *fs, void (*say)(void *ctx, const char *line), void *ctx)
{
	unsigned counted[TINY_BLOCKS] = {0};
	struct dax_inode *inode;
	struct tiny *file;
	char line[120];
	int n = 0;

	LIST_FOREACH (inode, &fs->inodes, link)
		count_blocks(tiny_of(inode), counted);
	LIST_FOREACH (file, &tinyfs_of(fs)->named, link)
		if (!file->open)
			count_blocks(file, counted);
	for (uint32_t b = 1; b < TINY_BLOCKS; b++) {
		if (counted[b] == tinyfs_of(fs)->owners[b])
			continue;
		snprintf(line, sizeof(line), "block %u has %u owner(s), and %u are counted", b,
			 counted[b], tinyfs_of(fs)->owners[b]);
		say(ctx, line);
		n++;
	}
	return n;
}

static bool owned(struct dax_fs *fs, uint64_t block)
{
	return block < TINY_BLOCKS && tinyfs_of(fs)->owners[block];
}

static void space(struct dax_fs *fs, struct dax_space *out)
{
	*out = (struct dax_space){.blocks = TINY_BLOCKS - 1};
	for (uint32_t b = 1; b < TINY_BLOCKS; b++)
		out->free_blocks += !tinyfs_of(fs)->owners[b];
}

/* It lies over whatever is there. */
static int barred(const struct pmem_region *r)
{
	return pmem_may_overwrite(r) ? -EINVAL : 0;
}

static const struct dax_layer_ops tiny_ops = {
	.name = "tinyfs",
	.map_flags = MAP_SYNC | MAP_DIRECT,
	.map = map,
	.map_run = map_run,
	.size = size,
	.read = read,
	.write = write,
	.set_size = set_size,
	.zero = zero,
	.free = free_pages,
	.sync = sync,
	.lookup = lookup,
	.share = share,
	.walk = tiny_walk,
	.by_number = tiny_by_number,
	.names = tiny_names,
	.unlink = tiny_unlink,
	.put_node = tiny_put_node,
	.opened = tiny_opened,
	.has_name = tiny_has_name,
	.drop = tiny_drop,
	.mount = mount,
	.unmount = unmount,
	.space = space,
	.check = check,
	.owned = owned,
	.barred = barred,
};
DAX_LAYER(tiny, tiny_ops);

int tiny_mount(const struct lifetime *lt, struct dax_fs **fs, const char **why)
{
	const struct mount_options o = {.ops = &tiny_ops};
	struct pmem_region *r = scratch_region(why);
	int err = r ? dax_mount_with(r, TINY_PATH, lt, &o, fs) : -ENODEV;

	if (r)
		*why = refusal();
	return err;
}

void tiny_umount(void)
{
	int err = dax_umount(TINY_PATH);

	ASSERT(!err, "the tiny file system must be free at the end: %s", refusal());
}

unsigned tiny_owners(struct dax_fs *fs, uint64_t pfn)
{
	return tinyfs_of(fs)->owners[pfn - (fs->region->start >> PAGE_SHIFT)];
}

unsigned tiny_free_blocks(struct dax_fs *fs)
{
	unsigned n = 0;

	mutex_lock(&fs->lock);
	for (uint32_t b = 1; b < TINY_BLOCKS; b++)
		n += !tinyfs_of(fs)->owners[b];
	mutex_unlock(&fs->lock);
	return n;
}
