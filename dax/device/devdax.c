/* SPDX-License-Identifier: MIT */
/*
 * device-dax: a whole pmem region as one mapping, with no file system in between.
 *
 * There are no blocks that could change hands, so nobody waits for anybody: a page belongs to the
 * device as long as the device is bound, long-term pins are allowed, and a fault is arithmetic. The
 * region is mapped with pages of one size, 4 KiB, 2 MiB or 1 GiB, and with 2 MiB and 1 GiB there is
 * one record per page of that size (compound records, page.h).
 *
 * One region, one use. A mounted file system binds the region with records of 4 KiB and rules for
 * sharing them (FS_DAX); device-dax binds it anew (GENERIC) when the first mapping comes, and as it
 * was when the last one has gone. Neither is possible while the other lasts, nor while somebody
 * holds a page: the record he will give it back to must still be there. Then the region stays as it
 * is, and whoever wants it next tries again.
 */
#include "dax/device/internal.h"

#define FIRST_PLACE                                                                                \
	(USER_MMAP + (1ull << 40)) /* where mappings without a wish are put, at multiples of 1 GiB \
				    */

static const struct vma_ops devdax_vma_ops;
static const char *const size_name[] = {"", "4 KiB", "2 MiB", "1 GiB"};

static uint64_t page_bytes(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static int find_held(struct page *p, void *arg)
{
	struct page **held = arg;

	if ((page_state(p) & ~PAGE_FOLIO) == p->pgmap->rest)
		return 0;
	*held = p;
	return 1;
}

/* Refuses, by name, while somebody holds a page of the region. */
int devdax_check_held(struct pmem_region *r)
{
	struct page *held = NULL;
	char who[160];

	page_records_for_each(r->start >> PAGE_SHIFT, r->len >> PAGE_SHIFT, find_held, &held);
	if (!held)
		return 0;
	holders_describe(held, who, sizeof(who));
	return refuse(-EBUSY,
		      "%s: pfn 0x%lx is held (%u references) by %s; the region gets other "
		      "page records only when they have let go",
		      r->name, page_to_pfn(held), page_refs(held), who);
}

static struct pgmap device_pgmap(const struct pmem_region *r, unsigned level)
{
	struct pgmap p = pmem_fs_pgmap(r);
	const bool mode = r->info.mode == PMEM_DEVDAX; /* else all of the region */
	uint64_t unit = page_bytes(level), end = r->start + (mode ? r->info.end : r->len);

	p.type = PGMAP_GENERIC;
	p.rest = 0; /* a mapping keeps the device, not only a reference */
	p.vmemmap_shift = 9 * (level - 1);
	p.range[0].start = ALIGN_UP(r->start + (mode ? r->info.data : 0), unit) >> PAGE_SHIFT;
	p.range[0].end = ALIGN_DOWN(end, unit) >> PAGE_SHIFT;
	return p;
}

/* The region as a file system wants it. d->lock held. */
int devdax_bind_for_fs(struct pmem_region *r)
{
	const struct pgmap fs = pmem_fs_pgmap(r);
	int err;

	if (r->pgmap.type == PGMAP_FS_DAX || pmem_is_limited(r))
		return 0;
	err = devdax_check_held(r);
	return err ? err : pmem_rebind(r, &fs);
}

int devdax_refuse_mapped(const struct dax_device *d)
{
	return refuse(-EBUSY,
		      "%s is mapped as a device (%u mapping(s), pages of %s); 'unmap' them first",
		      d->region->name, d->users, size_name[d->level]);
}

/* Makes the region one of pages of that size. d->lock held. */
static int prepare(struct dax_device *d, unsigned level)
{
	struct pmem_region *r = d->region;
	struct pgmap next = device_pgmap(r, level);
	int err;

	if (d->users && d->binding != r->bindings)
		return refuse(-EBUSY,
			      "%s still has %u mapping(s) from before it was removed; 'unmap' them "
			      "first",
			      r->name, d->users);
	if (d->users)
		return d->level == level
			       ? 0
			       : refuse(-EBUSY,
					"%s is mapped with pages of %s; all mappings of a "
					"device use one size",
					r->name, size_name[d->level]);
	if (next.range[0].start >= next.range[0].end)
		return refuse(-EINVAL,
			      "%s has no whole page of %s at a multiple of it: 0x%lx - "
			      "0x%lx",
			      r->name, size_name[level], r->start, r->start + r->len);
	err = devdax_check_held(r);
	if (!err)
		err = pmem_rebind(r, &next);
	if (err)
		return err;
	d->level = level;
	d->frame = 0;
	d->binding = r->bindings;
	d->first = next.range[0].start;
	d->pages = next.range[0].end - next.range[0].start;
	return 0;
}

/* What the region's info block says about it; without one any size will do. */
static int check_mode(const struct pmem_region *r, unsigned level)
{
	if (r->info.mode == PMEM_DEVDAX)
		return r->info.align == page_bytes(level)
			       ? 0
			       : refuse(-EINVAL,
					"%s is in device mode with pages of 0x%x bytes, and is "
					"mapped by these alone: leave 'align' out, or say "
					"'pmem mode %s raw' first",
					r->name, r->info.align, r->name);
	return pmem_check_raw(r); /* a block that cannot be used */
}

static int check_use(struct dax_device *d, unsigned level, unsigned flags)
{
	const struct pmem_region *r = d->region;
	int err = pmem_check_present(r);

	if (!err)
		err = check_mode(r, level);
	if (err)
		return err;
	if (d->mounts)
		return refuse(-EBUSY, "%s is mounted; 'umount' it first, or map a file", r->name);
	if (pmem_is_limited(r))
		return refuse(-EOPNOTSUPP,
			      "%s is limited: a device needs page records; bind it without "
			      "'limited'",
			      r->name);
	if (r->shadow) /* its copy covers the whole region, a device perhaps less of it */
		return refuse(-EBUSY, "%s has a power-cut model; boot without shadow for it",
			      r->name);
	if (!(flags & VM_SHARED))
		return refuse(-EINVAL, "%s is a device: it can be mapped shared, not private",
			      r->name);
	if ((flags & VM_WRITE) && r->readonly)
		return refuse(-EROFS, "%s is read-only (%s); map it with ro", r->name,
			      r->ro_reason);
	return 0;
}

/* Maps at *addr, or at the first place that is free. */
static int map_somewhere(struct mm *mm, struct dax_device *d, uint64_t off, uint64_t len,
			 unsigned flags, uint64_t *addr)
{
	uint64_t at = *addr ? *addr : FIRST_PLACE;
	int err;

	for (;; at += ALIGN_UP(len, PUD_SIZE)) {
		uint64_t place = at;

		err = mm_map(mm, &place, len, flags, &devdax_vma_ops, d, &d->mapping,
			     off >> PAGE_SHIFT);
		if (err != -EEXIST || *addr)
			break;
	}
	if (!err)
		*addr = at;
	else
		refuse(err, "%s: no room for %s in the address space", d->region->name,
		       SIZE_TEXT(len));
	return err;
}

/* Gives the region back to file systems if nobody uses it any more. d->lock held. */
static void give_back_unused(struct dax_device *d)
{
	if (!d->users && !d->mounts && pmem_is_there(d->region) &&
	    d->region->info.mode != PMEM_DEVDAX)
		devdax_bind_for_fs(
			d->region); /* refused while somebody holds a page: the next user tries */
}

static int check_range(const struct dax_device *d, uint64_t off, uint64_t len, uint64_t addr)
{
	uint64_t unit = page_bytes(d->level), bytes = d->pages << PAGE_SHIFT;

	if (!IS_ALIGNED(off | len | addr, unit))
		return refuse(-EINVAL,
			      "%s: offset 0x%lx, length 0x%lx and address 0x%lx must be "
			      "multiples of %s",
			      d->region->name, off, len, addr, size_name[d->level]);
	if (!len || off > bytes || len > bytes - off)
		return refuse(-EINVAL,
			      "%s: offset 0x%lx and length 0x%lx must lie within the "
			      "device's 0x%lx bytes",
			      d->region->name, off, len, bytes);
	return 0;
}

int devdax_mmap(struct mm *mm, struct pmem_region *r, uint64_t align, uint64_t off, uint64_t len,
		unsigned flags, uint64_t *addr)
{
	unsigned level = align == PAGE_SIZE ? 1 : align == PMD_SIZE ? 2 : align == PUD_SIZE ? 3 : 0;
	struct dax_device *d = dax_device_of(r);
	int err;

	if (!level || (level == 3 && !cpu_features.page1g))
		return refuse(-EINVAL,
			      "a device is mapped with pages of 4K, 2M or 1G%s; this is "
			      "0x%lx",
			      level ? ", and this CPU has none of 1G" : "", align);
	mutex_lock(&d->lock);
	err = check_use(d, level, flags);
	if (!err)
		err = prepare(d, level);
	if (!err) {
		if (len == DEVDAX_ALL)
			len = (d->pages << PAGE_SHIFT) - off;
		err = check_range(d, off, len, *addr);
		if (!err)
			err = map_somewhere(mm, d, off, len, flags, addr);
		give_back_unused(d);
	}
	mutex_unlock(&d->lock);
	return err;
}

/* The record exists, and so do the others of its frame, as long as the device is bound as it is. Of
 * a device that is being removed, or was killed, no frame is remembered, so each fault comes here.
 */
static int __attribute__((noinline))
prepare_record(struct dax_device *d, const struct page *record, uint64_t pfn)
{
	/* The state before the binding: one that comes is counted before it is PRESENT. */
	const enum pmem_state state = pmem_state(d->region);

	if (state == PMEM_KILLED)
		return pmem_refuse_fault(d->region);
	if (state != PMEM_PRESENT || d->binding != d->region->bindings)
		return refuse(-EFAULT, "the device was removed (SIGBUS)");
	if (!page_record_exists(record) && page_records_populate(pfn, 1))
		return refuse(-ENOMEM, "no memory for a page record");
	__atomic_store_n(&d->frame, ALIGN_DOWN((uint64_t)record, PAGE_SIZE), __ATOMIC_RELAXED);
	return 0;
}

static int devdax_fault(struct vm_fault *vmf)
{
	struct dax_device *d = vmf->vma->private;
	uint64_t unit = page_bytes(d->level), va = ALIGN_DOWN(vmf->address, unit);
	uint64_t pgoff = vmf->pgoff - ((vmf->address - va) >> PAGE_SHIFT), pfn = d->first + pgoff;
	struct page *record;
	int err = 0;

	if (!IS_ALIGNED(pgoff << PAGE_SHIFT, unit) || va < vmf->vma->start ||
	    va + unit > vmf->vma->end)
		return refuse(-EFAULT, "this device is mapped by large pages only, and the mapping "
				       "does not cover all of the one at this address, or not at "
				       "its alignment (SIGBUS)");
	record = pgmap_pfn_to_page(&d->region->pgmap, pfn);
	if (unlikely(ALIGN_DOWN((uint64_t)record, PAGE_SIZE) !=
		     __atomic_load_n(&d->frame, __ATOMIC_RELAXED)))
		err = prepare_record(d, record, pfn);
	if (unlikely(err))
		return err;
	err = d->level == 1 ? vmf_insert_pfn(vmf, pfn, vmf->write)
			    : vmf_insert_compound(vmf, record, d->level, vmf->write);
	return err ? refuse(err, "no memory for a page table") : 0;
}

/* By devdax_mmap(), which holds the lock, or for a part or a copy of a VMA, which is a user
 * already. */
static void devdax_open(struct vma *vma)
{
	struct dax_device *d = vma->private;

	__atomic_fetch_add(&d->users, 1, __ATOMIC_ACQ_REL);
}

/* Only the last user takes the lock: a part or a moved copy goes with mmap_lock held, which comes
 * after the lock in devdax_mmap(). */
static void devdax_close(struct vma *vma)
{
	struct dax_device *d = vma->private;
	bool mapping = mutex_held(&d->lock); /* devdax_mmap() found no room, and goes on */
	unsigned users = __atomic_load_n(&d->users, __ATOMIC_ACQUIRE);

	while (users > 1)
		if (__atomic_compare_exchange_n(&d->users, &users, users - 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return;
	if (!mapping)
		mutex_lock(&d->lock);
	__atomic_fetch_sub(&d->users, 1, __ATOMIC_ACQ_REL);
	if (mapping)
		return;
	give_back_unused(d);
	mutex_unlock(&d->lock);
}

/* A page cannot be cut. */
static bool devdax_may_split(const struct vma *vma, uint64_t at)
{
	const struct dax_device *d = vma->private;

	if (IS_ALIGNED(at, page_bytes(d->level)))
		return true;
	refuse(-EINVAL,
	       "%s is mapped by pages of %s, and a page is not cut: 0x%lx is in the middle "
	       "of one",
	       d->region->name, SIZE_TEXT(page_bytes(d->level)), at);
	return false;
}

static int devdax_sync(struct vma *vma, uint64_t start, uint64_t end)
{
	const struct dax_device *d = vma->private;
	uint64_t page = d->first + vma->pgoff + ((start - vma->start) >> PAGE_SHIFT);

	/* Nobody notes what is dirty: all of it is written back. */
	cache_writeback(phys_to_virt(page << PAGE_SHIFT), end - start);
	store_fence();
	return 0;
}

static void devdax_describe(const struct vma *vma, char *buf, unsigned n)
{
	const struct dax_device *d = vma->private;

	snprintf(buf, n, "device %s page %lu, pages of %s", d->region->name, vma->pgoff,
		 size_name[d->level]);
}

/*
 * No mapping's own lease comes first, as with a file: the pages are the device's for as long as it
 * is bound, and the only one to break this is its removal (or its end by `pmem kill`). That moves
 * the state, then breaks. The lease before the look at the state, with a full barrier in between:
 * else both miss each other, and the client goes on with a device that is gone. (Between its step
 * and its look it waits for all who hold mmap_lock, as we do: that orders them, too. The barrier is
 * for the day when it does not; explore lease.kill-device.)
 */
static int devdax_lease_direct(struct vma *vma, struct direct_lease *l)
{
	struct dax_device *d = vma->private;
	int err;

	direct_lease_fill(l, d->region->name);
	err = lease_set(&d->leases, &l->lease, true);
	if (err)
		return err;
	smp_mb();
	if (pmem_is_present(d->region) && d->binding == d->region->bindings)
		return 0;
	direct_lease_end(l);
	return refuse(-ENXIO,
		      "%s was removed or killed: nothing of it may be held any more; 'pmem' says "
		      "which, and what ends that",
		      d->region->name);
}

static const struct vma_ops devdax_vma_ops = {
	.fault = devdax_fault,
	.open = devdax_open,
	.close = devdax_close,
	.describe = devdax_describe,
	.may_split = devdax_may_split,
	.sync = devdax_sync,
	.lease_direct = devdax_lease_direct,
};
