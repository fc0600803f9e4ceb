/* SPDX-License-Identifier: MIT */
/*
 * Populating: the faults of a range before anybody touches it (MAP_POPULATE, MADV_POPULATE_READ).
 *
 * What would be written to a copy is faulted by a store, so that the copy is made now; a shared
 * mapping by a load, since nothing was stored and no page shall be dirty for it. So a later store
 * to it still faults, once.
 *
 * One fault may serve 2 MiB, and what is present needs none, so the next address to fault is asked
 * of the page tables. An address that was faulted is not asked again: truncate may take a
 * translation away at once, and who loses against it for ever would never return.
 */
#include "mm/tables/internal.h"
#include "mm/space/internal.h"

#define BATCH 512 /* faults under one hold of mmap_lock: those who want to change VMAs wait */

struct populate {
	struct vma *vma;
	bool write;
};

/* Is the fault superfluous that this entry, of a page or a larger one, stands for? */
static bool is_there(const struct populate *p, uint64_t entry)
{
	return (entry & PTE_P) && (!p->write || (entry & PTE_W));
}

/* The first address of [at, end) that has to be faulted; `end`: none. */
static uint64_t next_absent(const struct populate *p, uint64_t at, uint64_t end)
{
	struct mm *mm = p->vma->mm;

	spin_lock(&mm->ptl); /* a table may be freed under it */
	while (at < end) {
		unsigned level;
		uint64_t *entry = pte_lowest(mm->root, at, &level);
		uint64_t bytes = level_bytes(level);

		if (!is_there(p, __atomic_load_n(entry, __ATOMIC_RELAXED)))
			break;
		at = ALIGN_DOWN(at, bytes) + bytes;
	}
	spin_unlock(&mm->ptl);
	return MIN(at, end);
}

static bool makes_copies(const struct vma *vma)
{
	return (vma->flags & VM_PRIVATE) && (vma->flags & VM_WRITE);
}

/* The VMA's part of [*at, end), or as much as one hold of the lock allows; *at goes on.
 * mmap_lock held for reading. */
static int populate_vma(struct mm *mm, struct vma *vma, uint64_t *at, uint64_t end)
{
	const struct populate p = {vma, makes_copies(vma)};
	int err = 0;

	end = MIN(end, vma->end);
	for (unsigned n = 0; !err && n < BATCH; n++) {
		*at = next_absent(&p, *at, end);
		if (*at == end)
			break;
		err = mm_fault_locked(mm, *at, p.write);
		*at += PAGE_SIZE;
	}
	return err;
}

int mm_populate(struct mm *mm, uint64_t addr, uint64_t len)
{
	uint64_t at = addr, end = addr + len;
	int err = 0;

	if (!len || !IS_ALIGNED(addr | len, PAGE_SIZE) || end < addr || end > USER_END)
		return refuse(-EINVAL,
			      "0x%lx bytes at 0x%lx are not whole pages of an address "
			      "space",
			      len, addr);
	while (!err && at < end) {
		struct vma *vma;

		if (signal_pending())
			return refuse(-EINTR, "interrupted at 0x%lx", at);
		down_read(&mm->mmap_lock);
		vma = mm_find_vma(mm, at);
		err = vma ? populate_vma(mm, vma, &at, end)
			  : refuse(-ENOMEM, "nothing is mapped at 0x%lx", at);
		up_read(&mm->mmap_lock);
	}
	return err;
}
