/* SPDX-License-Identifier: MIT */
/* VMAs as mm/ alone deals with them. */
#ifndef MM_SPACE_INTERNAL_H
#define MM_SPACE_INTERNAL_H

#include "mm/tables/internal.h"

void faults_init(void);

/* Switches this CPU to `next` (NULL: the kernel's own tables). Interrupts off. */
void mm_switch(void *next);

/* ---- space.c and change.c: VMAs. mmap_lock held for writing --------------------------------- */
/* A VMA that shows what `like` shows from its start on, in no list yet; NULL: no memory. */
struct vma *vma_new(const struct vma *like, struct mm *mm, uint64_t start, uint64_t end);
/* Gives its object back. May take file locks: after mmap_lock, unless another VMA holds the object.
 */
void vma_free(struct vma *vma);
/* i_mmap_lock of its file for writing, if it has one: whoever holds it is not met by truncate. */
void vma_lock_file(struct vma *vma);
void vma_unlock_file(struct vma *vma);
void vma_enter(struct mm *mm, struct vma *vma); /* into the tree and the file's list, file locked */
void vma_remove(struct mm *mm, struct vma *vma); /* out of both, its entries go; takes the lock */
/* Takes out the VMAs that have something in [start, end), already isolated; a chain for
 * vmas_free(). */
struct vma *vmas_remove(struct mm *mm, uint64_t start, uint64_t end);
void vmas_free(struct vma *gone); /* no lock held */
/* Room for `len` bytes: stores it in *addr if that is 0. -ENOMEM: no room, -EEXIST: *addr is taken.
 */
int vma_place(struct mm *mm, uint64_t *addr, uint64_t len);
struct vma *mm_next_vma(struct mm *mm,
			const struct vma *vma); /* NULL: the first; value NULL: last */
/* Cuts VMAs at start and end, so that none reaches over. 0, -ENOMEM, -EINVAL (may_split refuses).
 */
int vma_isolate(struct mm *mm, uint64_t start, uint64_t end);
/* ---- notifier.c: the bracket around taking translations away ----------------------------------
 */
/* Takes ptl. True: whoever has copies of [start, end) has been told before, and notify_end() of the
 * same range is due behind the lock. Sleepable, no spinlock held. */
static inline bool ptl_lock_notified(struct mm *mm, uint64_t start, uint64_t end);
bool ptl_notify(struct mm *mm, uint64_t start, uint64_t end); /* ptl held: there is somebody */
void notify_end(struct mm *mm, uint64_t start, uint64_t end);

static inline bool ptl_lock_notified(struct mm *mm, uint64_t start, uint64_t end)
{
	spin_lock(&mm->ptl);
	return unlikely(!LIST_EMPTY(&mm->notifiers)) && ptl_notify(mm, start, end);
}
/* ---- anon.c --------------------------------------------------------------------------------- */
void anon_init(void);
/* A page with a copy of `from` (4096 bytes; NULL: zeroes), neither mapped nor referenced: the
 * caller maps it, or frees the frame. NULL: no memory. Any context that may not be an interrupt. */
struct page *anon_page_new(const void *from);
uint64_t anon_entry(const struct page *page, bool writable); /* for the only one who shows it */
/* zap_vma() of a private mapping on behalf of the file: copies stay as they are. */
uint64_t zap_private(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode);
int mm_fault_locked(struct mm *mm, uint64_t addr, bool write);

#endif
