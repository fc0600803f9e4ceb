/* SPDX-License-Identifier: MIT */
/*
 * Address spaces and their VMAs.
 *
 * mmap_lock guards the tree: faults and gup read it, map and unmap write it. Unmapping goes in the
 * one safe order: leave the tree (no new fault finds the VMA), clear the entries and flush (nobody
 * reaches the pages any more), leave the file's list, drop the reference to the file.
 */
#include "mm/tables/internal.h"
#include "mm/space/internal.h"

static int vma_cmp(struct vma *a, struct vma *b)
{
	return a->start < b->start ? -1 : a->start > b->start;
}
RB_GENERATE_STATIC(vma_tree, vma, node, vma_cmp)

static struct slab_cache vma_cache = SLAB_CACHE_INIT("vma", sizeof(struct vma));
static struct slab_cache mm_cache = SLAB_CACHE_INIT("mm", sizeof(struct mm));
static LIST_HEAD(, mm) all_mms = LIST_HEAD_INITIALIZER(all_mms);
static struct spinlock all_lock = SPINLOCK_INIT("address spaces");

MUSEUM(dax_flag_of_files, "dax-flag-of-files",
       "S_DAX is there only if files on DAX are built, so that with device-dax alone its pages "
       "pass for ordinary memory; shown by selftest seed.s2.11");
MUSEUM(whole_mode, "whole-mode",
       "vma_is_fsdax compares the whole mode with the type of a device, so that one with "
       "permissions passes for a file; shown by selftest dax.kinds and selftest seed.s2.01");
MUSEUM(unlist_first, "unlist-first",
       "an unmapping leaves the file's list before its entries are gone: a truncate in between "
       "unmaps nothing, and frees what is still mapped; found by explore "
       "file.truncate-munmap-load");

MUSEUM_EXPLORED(unlist_unlocked, "unlist-unlocked",
		"an unmapping leaves the file's list without the list's lock: who walks the list "
		"meets a VMA that was freed; found by explore file.truncate-munmap");

void mapping_init(struct mapping *m, unsigned mode, unsigned flags)
{
	rwsem_init(&m->i_mmap_lock, "i_mmap");
	LIST_INIT(&m->vmas);
	m->i_mode = (uint16_t)mode;
	m->i_flags = (uint16_t)flags;
}

struct mm *mm_create(const char *name)
{
	struct mm *mm = slab_alloc(&mm_cache);

	if (!mm)
		return NULL;
	mm->root = frame_alloc_zero();
	if (!mm->root) {
		slab_free(&mm_cache, mm);
		return NULL;
	}
	mm_count_table(1);
	memcpy((uint64_t *)phys_to_virt(mm->root) + USER_SLOTS,
	       (uint64_t *)phys_to_virt(kernel_root) + USER_SLOTS,
	       PAGE_SIZE - USER_SLOTS * sizeof(uint64_t));
	rwsem_init(&mm->mmap_lock, "mmap_lock");
	spin_init(&mm->ptl, "ptl");
	rwsem_init(&mm->notifier_lock, "notifiers");
	LIST_INIT(&mm->notifiers);
	RB_INIT(&mm->vmas);
	mm->refs = 1;
	snprintf(mm->name, sizeof(mm->name), "%s", name);
	spin_lock(&all_lock);
	LIST_INSERT_HEAD(&all_mms, mm, all);
	spin_unlock(&all_lock);
	return mm;
}

void mm_get(struct mm *mm)
{
	__atomic_fetch_add(&mm->refs, 1, __ATOMIC_RELAXED);
}

void mm_put(struct mm *mm)
{
	struct vma *vma;

	if (__atomic_sub_fetch(&mm->refs, 1, __ATOMIC_ACQ_REL))
		return;
	while ((vma = RB_MIN(vma_tree, &mm->vmas)))
		mm_unmap(mm, vma->start, vma->end - vma->start);
	ASSERT(!mm->active, "address space '%s' is freed while CPUs 0x%x run it", mm->name,
	       mm->active);
	spin_lock(&all_lock);
	LIST_REMOVE(mm, all);
	spin_unlock(&all_lock);
	pte_free_low_half(mm->root);
	slab_free(&mm_cache, mm);
}

uint32_t mm_vma_count(void)
{
	return __atomic_load_n(&vma_cache.in_use, __ATOMIC_RELAXED);
}

void mm_for_each(int (*fn)(struct mm *, void *), void *arg)
{
	struct mm *mm;

	spin_lock(&all_lock);
	LIST_FOREACH (mm, &all_mms, all)
		if (fn(mm, arg))
			break;
	spin_unlock(&all_lock);
}

void mm_switch(void *arg)
{
	struct mm *next = arg, *old = this_cpu()->mm;
	uint32_t bit = 1u << cpu_id();

	if (next == old)
		return;
	/* Our bit before the load of CR3, else a flusher that misses us leaves entries which we
	 * then pick up; the old bit after it, while its entries cannot be used any more. */
	if (next)
		__atomic_fetch_or(&next->active, bit, __ATOMIC_SEQ_CST);
	this_cpu()->mm = next;
	write_cr3(next ? next->root : kernel_root);
	if (old)
		__atomic_fetch_and(&old->active, ~bit, __ATOMIC_SEQ_CST);
}

void mm_use(struct mm *mm)
{
	struct thread *self = current_thread();
	struct mm *old = self->mm;
	uint64_t flags;

	if (mm)
		mm_get(mm);
	flags = irq_save();
	self->mm = mm;
	mm_switch(mm);
	irq_restore(flags);
	if (old)
		mm_put(old);
}

/* First VMA that ends after addr; mmap_lock held. */
static struct vma *vma_after(struct mm *mm, uint64_t addr)
{
	struct vma *vma = RB_ROOT(&mm->vmas), *best = NULL;

	while (vma) {
		if (vma->end > addr) {
			best = vma;
			vma = RB_LEFT(vma, node);
		} else {
			vma = RB_RIGHT(vma, node);
		}
	}
	return best;
}

/* First gap of `len` bytes at or above USER_MMAP; 0: none. Large mappings start on 2 MiB. */
static uint64_t find_gap(struct mm *mm, uint64_t len)
{
	uint64_t align = len >= PMD_SIZE ? PMD_SIZE : PAGE_SIZE;
	uint64_t at = USER_MMAP;
	struct vma *vma;

	while ((vma = vma_after(mm, at)) && vma->start < at + len)
		at = ALIGN_UP(vma->end, align);
	return at + len <= USER_END ? at : 0;
}

int vma_place(struct mm *mm, uint64_t *addr, uint64_t len)
{
	struct vma *next;

	if (!*addr)
		return (*addr = find_gap(mm, len)) ? 0 : -ENOMEM;
	next = vma_after(mm, *addr);
	return next && next->start < *addr + len ? -EEXIST : 0;
}

static void unlist(struct vma *vma)
{
	const bool locked = !museum_explored(unlist_unlocked);

	if (locked)
		vma_lock_file(vma);
	if (vma->mapping)
		LIST_REMOVE(vma, i_mmap);
	if (locked)
		vma_unlock_file(vma);
}

static struct vma *vma_make(const struct vma *v)
{
	struct vma *vma = slab_alloc(&vma_cache);

	if (!vma)
		return NULL;
	*vma = *v;
	if (vma->ops->open)
		vma->ops->open(vma);
	return vma;
}

struct vma *vma_new(const struct vma *like, struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma v = {.mm = mm,
			.start = start,
			.end = end,
			.pgoff = like->pgoff,
			.flags = like->flags,
			.mapping = like->mapping,
			.ops = like->ops,
			.private = like->private};

	return vma_make(&v);
}

void vma_free(struct vma *vma)
{
	if (vma->ops->close)
		vma->ops->close(vma);
	slab_free(&vma_cache, vma);
}

void vma_lock_file(struct vma *vma)
{
	if (vma->mapping)
		down_write(&vma->mapping->i_mmap_lock);
}

void vma_unlock_file(struct vma *vma)
{
	if (vma->mapping)
		up_write(&vma->mapping->i_mmap_lock);
}

void vma_enter(struct mm *mm, struct vma *vma)
{
	if (vma->mapping)
		LIST_INSERT_HEAD(&vma->mapping->vmas, vma, i_mmap);
	RB_INSERT(vma_tree, &mm->vmas, vma);
	mm->nr_vmas++;
}

struct vma *mm_next_vma(struct mm *mm, const struct vma *vma)
{
	return vma ? RB_NEXT(vma_tree, &mm->vmas, (struct vma *)vma) : RB_MIN(vma_tree, &mm->vmas);
}

int mm_map(struct mm *mm, uint64_t *addr, uint64_t len, unsigned flags, const struct vma_ops *ops,
	   void *private, struct mapping *mapping, uint64_t pgoff)
{
	struct vma v = {.mm = mm,
			.pgoff = pgoff,
			.flags = flags,
			.mapping = mapping,
			.ops = ops,
			.private = private};
	struct vma *vma = NULL;
	int err;

	if (!len || !IS_ALIGNED(*addr | len, PAGE_SIZE) || len > USER_END ||
	    (*addr && (*addr < USER_START || *addr > USER_END - len)) ||
	    (flags & (VM_PRIVATE | VM_SHARED)) == (VM_PRIVATE | VM_SHARED))
		return -EINVAL;
	down_write(&mm->mmap_lock);
	err = vma_place(mm, addr, len);
	if (!err) {
		v.start = *addr;
		v.end = *addr + len;
		vma = vma_make(&v);
		err = vma ? 0 : -ENOMEM;
	}
	if (!err) {
		vma_lock_file(vma);
		vma_enter(mm, vma);
		vma_unlock_file(vma);
	}
	up_write(&mm->mmap_lock);
	return err;
}

void vma_remove(struct mm *mm, struct vma *vma)
{
	RB_REMOVE(vma_tree, &mm->vmas, vma);
	mm->nr_vmas--;
	if (museum_on(unlist_first))
		unlist(vma);
	zap_vma(vma, vma->start, vma->end, ZAP_CLEAR);
	if (!museum_on(unlist_first))
		unlist(vma);
}

struct vma *vmas_remove(struct mm *mm, uint64_t start, uint64_t end)
{
	struct vma *vma, *gone = NULL;

	while ((vma = vma_after(mm, start)) && vma->start < end) {
		vma_remove(mm, vma);
		vma->i_mmap.le_next = gone; /* off every list: the link is ours */
		gone = vma;
	}
	return gone;
}

void vmas_free(struct vma *gone)
{
	struct vma *next;

	for (; gone; gone = next) {
		next = gone->i_mmap.le_next;
		vma_free(gone);
	}
}

int mm_unmap(struct mm *mm, uint64_t addr, uint64_t len)
{
	struct vma *gone = NULL;
	int err;

	if (!len || !IS_ALIGNED(addr | len, PAGE_SIZE) || addr + len < addr)
		return -EINVAL;
	down_write(&mm->mmap_lock);
	err = vma_isolate(mm, addr, addr + len);
	if (!err)
		gone = vmas_remove(mm, addr, addr + len);
	up_write(&mm->mmap_lock);
	if (!err && !gone)
		err = -EINVAL;
	vmas_free(gone);
	return err;
}
