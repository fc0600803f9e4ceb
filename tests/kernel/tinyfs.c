/* SPDX-License-Identifier: MIT */
/*
 * The tiny file layer; see tinyfs.h. What DAX asks of a file layer, in the fewest lines.
 *
 * A block has as many owners as there are file pages that name it. A store to one with several
 * makes a copy first, durable before the file names it. A block without an owner is free, except
 * that one which somebody still holds is not given away (dax_block_blocked(), I1): the lifetime is
 * told of it before its owner count becomes zero.
 */
#include "tests/kernel/tinyfs.h"

struct tinyfs {
	unsigned owners[TINY_BLOCKS];
	uint32_t last_number; /* of a file */
	char why[160];
};

struct tiny {
	uint32_t block[TINY_PAGES]; /* zero: a hole */
};

static struct tinyfs *layer_of(const struct dax_fs *fs)
{
	return fs->layer;
}

static int __printf(3, 4) fail(const struct dax_fs *fs, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(layer_of(fs)->why, sizeof(layer_of(fs)->why), fmt, ap);
	va_end(ap);
	return err;
}

static uint64_t pfn_of(const struct dax_fs *fs, uint32_t block)
{
	return block ? (fs->region->start >> PAGE_SHIFT) + block : 0;
}

static char *bytes_of(const struct dax_fs *fs, uint32_t block)
{
	return phys_to_virt(pfn_of(fs, block) << PAGE_SHIFT);
}

/* A block with one owner: the caller's. Zero: there is none. */
static uint32_t take(struct dax_fs *fs)
{
	for (uint32_t b = 1; b < TINY_BLOCKS; b++)
		if (!layer_of(fs)->owners[b] && !dax_block_blocked(fs, pfn_of(fs, b))) {
			layer_of(fs)->owners[b] = 1;
			return b;
		}
	return 0;
}

static void give_up(struct dax_fs *fs, uint32_t block)
{
	unsigned *owners = &layer_of(fs)->owners[block];

	/* Told before the block is free, else it is given away while somebody holds it. */
	if (*owners == 1 && fs->lifetime->freed)
		fs->lifetime->freed(fs, pfn_of(fs, block), 1);
	--*owners;
}

/* The page gets a block of its own, with the contents that it had. */
static int make_own(struct dax_inode *inode, uint64_t pgoff)
{
	uint32_t *slot = &((struct tiny *)inode->layer)->block[pgoff], old = *slot;
	uint32_t block = take(inode->fs);

	if (!block)
		return fail(inode->fs, -ENOSPC, "all %u blocks are in use", TINY_BLOCKS - 1);
	if (old)
		memcpy(bytes_of(inode->fs, block), bytes_of(inode->fs, old), PAGE_SIZE);
	else
		memset(bytes_of(inode->fs, block), 0, PAGE_SIZE);
	cache_writeback(bytes_of(inode->fs, block), PAGE_SIZE);
	store_fence();
	*slot = block;
	if (old)
		give_up(inode->fs, old);
	return 0;
}

/* ---- what the fault path asks ------------------------------------------------------------- */

static int map(struct dax_inode *inode, uint64_t pgoff, bool create, struct dax_block *b,
	       const char **why)
{
	const struct tinyfs *t = layer_of(inode->fs);
	const uint32_t *slot = &((struct tiny *)inode->layer)->block[pgoff];
	int err = 0;

	*b = (struct dax_block){0};
	mutex_lock(&inode->fs->lock);
	if (create && (!*slot || t->owners[*slot] > 1)) {
		err = layout_break_fault(inode, *slot ? LEASE_ALL : LEASE_LAYOUT, why);
		if (!err && make_own(inode, pgoff)) {
			err = -ENOSPC;
			*why = "no free block for this page of the file";
		}
		b->fresh = true;
	}
	b->pfn = pfn_of(inode->fs, *slot);
	b->shared = *slot && t->owners[*slot] > 1;
	mutex_unlock(&inode->fs->lock);
	return err;
}

static int map_run(struct dax_inode *inode, uint64_t pgoff, uint32_t want, bool create,
		   struct dax_run *run, const char **why)
{
	struct dax_block b;
	int err = map(inode, pgoff, create, &b, why);

	(void)want; /* a page at a time, so nothing is mapped by 2 MiB */
	*run = (struct dax_run){b.pfn, 1, b.pfn != 0, b.fresh};
	return err;
}

/* ---- files -------------------------------------------------------------------------------- */

static int set_size(struct dax_inode *inode, uint64_t size)
{
	if (size % PAGE_SIZE || size > TINY_PAGES * PAGE_SIZE)
		return fail(inode->fs, -EINVAL, "a size is a multiple of 4096, up to %lu",
			    TINY_PAGES * PAGE_SIZE);
	return 0;
}

static int zero(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	return len ? fail(inode->fs, -EINVAL, "%lu bytes at %lu: ranges are whole pages", len, off)
		   : 0;
}

static int free_pages(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint32_t *block = ((struct tiny *)inode->layer)->block;

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

static int lookup(struct dax_inode *inode, uint64_t pgoff, uint32_t want, struct dax_run *run)
{
	uint64_t pfn = pfn_of(inode->fs, ((struct tiny *)inode->layer)->block[pgoff]);

	(void)want;
	*run = (struct dax_run){pfn, 1, pfn != 0, false};
	return 0;
}

static int share(struct dax_inode *from, uint64_t first, struct dax_inode *to, uint64_t at,
		 uint64_t n)
{
	const uint32_t *source = ((struct tiny *)from->layer)->block + first;
	uint32_t *target = ((struct tiny *)to->layer)->block + at;

	for (uint64_t i = 0; i < n; i++)
		if (target[i])
			return fail(to->fs, -EEXIST, "page %lu of %s is no hole", at + i, to->name);
	for (uint64_t i = 0; i < n; i++) {
		target[i] = source[i];
		layer_of(to->fs)->owners[source[i]] += source[i] != 0;
	}
	return 0;
}

static bool has_name(const struct dax_inode *inode)
{
	(void)inode;
	return false;
}

static void drop(struct dax_inode *inode)
{
	free_pages(inode, 0, TINY_PAGES);
	free(inode->layer);
}

struct dax_inode *tiny_file(struct dax_fs *fs, const char *name, unsigned pages)
{
	struct tiny *file = calloc(1, sizeof(*file));
	struct dax_inode *inode = NULL;

	mutex_lock(&fs->lock);
	if (file)
		inode = dax_inode_new(fs, ++layer_of(fs)->last_number, pages * PAGE_SIZE, name);
	if (inode)
		inode->layer = file;
	else
		free(file);
	mutex_unlock(&fs->lock);
	return inode;
}

/* ---- mounts ------------------------------------------------------------------------------- */

static int mount(struct dax_fs *fs, const struct mount_options *o, char *why, size_t n)
{
	(void)o;
	fs->layer = calloc(1, sizeof(struct tinyfs));
	if (!fs->layer)
		snprintf(why, n, "no memory");
	return fs->layer ? 0 : -ENOMEM;
}

static int unmount(struct dax_fs *fs)
{
	for (uint32_t b = 1; b < TINY_BLOCKS; b++)
		if (layer_of(fs)->owners[b])
			return fail(fs, -EBUSY, "block %u still has an owner", b);
	free(fs->layer);
	return 0;
}

static const char *why(const struct dax_fs *fs)
{
	return layer_of(fs)->why;
}

/* Every block has as many owners as there are file pages that name it. */
static int check(struct dax_fs *fs, void (*say)(void *ctx, const char *line), void *ctx)
{
	unsigned counted[TINY_BLOCKS] = {0};
	struct dax_inode *inode;
	char line[120];
	int n = 0;

	LIST_FOREACH (inode, &fs->inodes, link)
		for (unsigned i = 0; i < TINY_PAGES; i++)
			counted[((struct tiny *)inode->layer)->block[i]]++;
	for (uint32_t b = 1; b < TINY_BLOCKS; b++) {
		if (counted[b] == layer_of(fs)->owners[b])
			continue;
		snprintf(line, sizeof(line), "block %u has %u owner(s), and %u are counted", b,
			 counted[b], layer_of(fs)->owners[b]);
		say(ctx, line);
		n++;
	}
	return n;
}

static bool owned(struct dax_fs *fs, uint64_t block)
{
	return block < TINY_BLOCKS && layer_of(fs)->owners[block];
}

static const struct dax_layer_ops tiny_ops = {
	.name = "tinyfs",
	.map = map,
	.map_run = map_run,
	.set_size = set_size,
	.zero = zero,
	.free = free_pages,
	.sync = sync,
	.lookup = lookup,
	.share = share,
	.has_name = has_name,
	.drop = drop,
	.mount = mount,
	.unmount = unmount,
	.why = why,
	.check = check,
	.owned = owned,
};

/* Block 0 is nobody's, but an ext4 may have been there: with its other blocks overwritten, nobody
 * may take the device for one. */
static void wipe_superblock(struct pmem_region *r)
{
	memset(r->kaddr, 0, PAGE_SIZE);
	cache_writeback(r->kaddr, PAGE_SIZE);
	store_fence();
}

int tiny_mount(const struct lifetime *lt, struct dax_fs **fs, const char **why)
{
	const struct mount_options o = {.ops = &tiny_ops};
	struct pmem_region *r = scratch_region(why);
	int err = r ? dax_mount_with(r, TINY_PATH, lt, &o, fs) : -ENODEV;

	if (r)
		*why = dax_why();
	if (!err)
		wipe_superblock(r);
	return err;
}

void tiny_umount(void)
{
	int err = dax_umount(TINY_PATH);

	ASSERT(!err, "the tiny file system must be free at the end: %s", dax_why());
}

unsigned tiny_owners(struct dax_fs *fs, uint64_t pfn)
{
	return layer_of(fs)->owners[pfn - (fs->region->start >> PAGE_SHIFT)];
}

unsigned tiny_free_blocks(struct dax_fs *fs)
{
	unsigned n = 0;

	mutex_lock(&fs->lock);
	for (uint32_t b = 1; b < TINY_BLOCKS; b++)
		n += !layer_of(fs)->owners[b];
	mutex_unlock(&fs->lock);
	return n;
}
