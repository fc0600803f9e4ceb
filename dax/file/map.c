/* SPDX-License-Identifier: MIT */
/*
 * mmap of DAX files: what the flags ask for, and whether it can be given.
 *
 * For decades mmap ignored flags that it did not know, so no program could rely on a new one. Hence
 * a third mapping type, MAP_SHARED_VALIDATE (2017, and it stayed): shared, and refused for any flag
 * that the file cannot honour. It is a value of the type's bits and not a flag: 3 is "shared" and
 * "private" at once, which was -EINVAL before. The old types go on ignoring what they do not know.
 *
 * Two flags need it. MAP_SYNC: a store's fault returns only when the block map is durable, so that
 * flushing the CPU's caches is all that the stored bytes still need. MAP_DIRECT: the blocks stay,
 * as long as a lease stands (direct.c).
 *
 * What is refused is refused in this order: flags, -EOPNOTSUPP; for MAP_DIRECT, blocks that another
 * file has too, -EPERM (a store would move them), a file that is not on DAX, -EPERM, no right to a
 * lease, -EACCES, memory, -ENOMEM.
 */
#include "dax/file/internal.h"
#include "dax/mount/internal.h"

/* What mmap knew before there was a type that validates: no more and no less, as Linux has them (of
 * the six bits in which a size of huge pages is said, those that 2 MiB or 1 GiB have). They have no
 * effect here. */
#define MAP_LEGACY                                                                                 \
	(MAP_TYPE | 0x10 | 0x20 | 0x40 | 0x0100 | 0x0800 | 0x1000 | 0x2000 | 0x4000 | 0x8000 |     \
	 0x10000 | 0x20000 | 0x40000 | 0x7c000000)

MUSEUM(sync_unsettled, "sync-unsettled",
       "a store's fault in a mapping with MAP_SYNC returns before the metadata is durable; shown "
       "by selftest mmap.sync-is-durable");

static unsigned known_flags(const struct dax_inode *inode)
{
	/* Without page records the memory may be anything: nobody can say what durable means. */
	return pmem_is_limited(inode->fs->region) ? inode->ops->map_flags & ~MAP_SYNC
						  : inode->ops->map_flags;
}

/* The flags that count, in *flags. */
static int validate(const struct dax_inode *inode, unsigned *flags)
{
	const unsigned type = *flags & MAP_TYPE, strange = *flags & ~(unsigned)MAP_LEGACY;

	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return refuse(-EINVAL,
			      "a mapping is MAP_SHARED (1), MAP_PRIVATE (2) or "
			      "MAP_SHARED_VALIDATE (3); this is type %u",
			      type);
	if (type != MAP_SHARED_VALIDATE)
		*flags &= MAP_LEGACY;
	else if (strange & ~known_flags(inode))
		return refuse(-EOPNOTSUPP,
			      "%s cannot be mapped with flag(s) 0x%x%s; MAP_SHARED would ignore "
			      "them",
			      inode->name, strange & ~known_flags(inode),
			      pmem_is_limited(inode->fs->region) ? ": its device is limited" : "");
	return 0;
}

/* -EPERM if a page of the file is another file's too. Takes fs->lock. */
static int refuse_shared(struct dax_inode *inode)
{
	const uint64_t end = ALIGN_UP(inode->size, PAGE_SIZE) >> PAGE_SHIFT;
	struct dax_fs *fs = inode->fs;
	struct dax_run run;
	uint64_t at = 0;
	int err = 0;

	mutex_lock(&fs->lock);
	for (; at < end && !err; at += err ? 0 : run.count) {
		err = fs->ops->lookup(fs, inode->layer, at, MIN(end - at, 1ul << 20), &run);
		if (!err && run.shared)
			err = -EPERM;
	}
	if (err == -EPERM)
		refuse(err,
		       "page %lu of %s is another file's as well, and a store would move it: "
		       "MAP_DIRECT needs a file with blocks of its own (copy it)",
		       at, inode->name);
	else if (err)
		fail_layer(inode, err);
	mutex_unlock(&fs->lock);
	return err;
}

int map_settle(struct dax_inode *inode)
{
	struct dax_fs *fs = inode->fs;
	int err;

	if (museum_on(sync_unsettled))
		return 0;
	mutex_lock(&fs->lock);
	err = times_tell(inode);
	if (!err)
		err = inode->ops->sync(inode);
	if (err)
		fail_layer(inode, err);
	mutex_unlock(&fs->lock);
	return err;
}

static int check_range_and_rights(const struct dax_inode *inode, const struct dax_map *rq)
{
	const struct pmem_region *r = inode->fs->region;
	/* A store changes what is there: an append-only file may not be stored to, either. */
	const char *why = inode_forbids(inode, false);

	if (!rq->pages || rq->pages > USER_END >> PAGE_SHIFT)
		return refuse(-EINVAL,
			      "a mapping has at least one page of 4096 bytes and fits "
			      "below 0x%lx",
			      (uint64_t)USER_END);
	if (rq->pgoff > DAX_TO_END - rq->pages)
		return refuse(-EINVAL,
			      "what is mapped ends below 2^64: 0x%lx page(s) at page 0x%lx "
			      "do not",
			      rq->pages, rq->pgoff);
	if ((rq->flags & MAP_TYPE) == MAP_PRIVATE && pmem_is_limited(r))
		return refuse(-EOPNOTSUPP,
			      "%s is limited: without page records its files can "
			      "be mapped shared only",
			      r->name);
	if ((rq->flags & MAP_TYPE) == MAP_PRIVATE || !rq->write)
		return 0;
	if (r->readonly)
		return refuse(-EROFS, "%s is read-only (%s); map it with ro", r->name,
			      r->ro_reason);
	return why ? refuse(-EPERM, "%s is %s; map it with ro", inode->name, why) : 0;
}

static unsigned vma_flags(const struct dax_inode *inode, const struct dax_map *rq, unsigned flags)
{
	unsigned vm = VM_READ | dax_vma_flags(inode->fs);

	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		vm |= VM_PRIVATE | VM_MAYWRITE;
	else
		vm |= VM_SHARED |
		      (inode->fs->region->readonly || inode_forbids(inode, false) ? 0
										  : VM_MAYWRITE);
	return vm | (rq->write ? VM_WRITE : 0) | (flags & MAP_SYNC ? VM_SYNC : 0);
}

static int map_leased(struct mm *mm, struct dax_inode *inode, const struct dax_map *rq, unsigned vm,
		      uint64_t *addr)
{
	void *private;
	int err = refuse_shared(inode);

	if (!err && inode_check_dax(inode))
		err = -EPERM;
	if (!err)
		err = direct_map_new(inode, rq->pgoff, rq->pages, !rq->stranger, &private);
	if (err)
		return err;
	err = mm_map(mm, addr, rq->pages << PAGE_SHIFT, vm, &dax_direct_vma_ops, private,
		     &inode->mapping, rq->pgoff);
	if (err)
		direct_map_drop(private);
	return err;
}

int dax_map(struct mm *mm, struct dax_inode *inode, const struct dax_map *rq, uint64_t *addr)
{
	unsigned flags = rq->flags, vm;
	int err = validate(inode, &flags);

	if (!err)
		err = check_range_and_rights(inode, rq);
	if (err)
		return err;
	vm = vma_flags(inode, rq, flags);
	if (flags & MAP_DIRECT)
		return map_leased(mm, inode, rq, vm, addr);
	err = inode_check_dax(inode);
	if (err)
		return err;
	return mm_map(mm, addr, rq->pages << PAGE_SHIFT, vm,
		      vm & VM_LIMITED ? &dax_limited_vma_ops : &dax_vma_ops, inode, &inode->mapping,
		      rq->pgoff);
}

int dax_mmap(struct mm *mm, struct dax_inode *inode, uint64_t pgoff, uint64_t pages, bool write,
	     uint64_t *addr)
{
	struct dax_map rq = {.flags = MAP_SHARED, .pgoff = pgoff, .pages = pages, .write = write};

	return dax_map(mm, inode, &rq, addr);
}

int dax_mmap_private(struct mm *mm, struct dax_inode *inode, uint64_t pgoff, uint64_t pages,
		     bool write, uint64_t *addr)
{
	struct dax_map rq = {.flags = MAP_PRIVATE, .pgoff = pgoff, .pages = pages, .write = write};

	return dax_map(mm, inode, &rq, addr);
}
