/* SPDX-License-Identifier: MIT */
/* What the files of mm/ share with each other and with nobody else. */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include "mm/mm.h"

struct span {
	uint64_t start, end;
};
uint64_t frames_maps_size(uint64_t pfns);
void frames_init(uint64_t pfns, void *maps, uint64_t total);
void frames_init_done(void);
void frames_add(const struct boot_info *bi, uint64_t low, uint64_t high, const struct span *holes,
		unsigned nr_holes);
bool ram_overlaps(uint64_t start, uint64_t end); /* bytes; of the boot map */
/* fail_alloc.c: is this allocation the one that a test wants to fail? */
extern struct thread *alloc_fail_thread; /* NULL: nobody asked for a failure */
bool alloc_fails_now(void);
static inline bool alloc_fails(void)
{
	return unlikely(__atomic_load_n(&alloc_fail_thread, __ATOMIC_RELAXED) != NULL) &&
	       alloc_fails_now();
}
uint64_t mmio_next(void);   /* where the next device registers will be mapped */
void *stack_make(void);	    /* a new stack, spare ones or not; NULL: no memory */
uint64_t stacks_made(void); /* slots of stacks that were ever taken */
void page_tables_init(const struct boot_info *bi);
/* Frees a table, of entries of `level`, and the empty ones below it. Nobody may be walking it. */
void pte_free_table(uint64_t phys, unsigned level);
void faults_init(void);
/* Frees the tables of the low half under `root` and the root. Nothing may be mapped. */
void pte_free_low_half(uint64_t root);
void mm_count_table(int delta);
/* Switches this CPU to `next` (NULL: the kernel's own tables). Interrupts off. */
void mm_switch(void *next);

/*
 * pte_walk() to level 1 for the fast paths: the 4K entry for va, NULL if a table is absent or the
 * address is mapped by a larger page.
 */
static inline uint64_t *pte_leaf(uint64_t root, uint64_t va)
{
	uint64_t *table = phys_to_virt(root);

#pragma GCC unroll 3
	for (unsigned shift = 39; shift > PAGE_SHIFT; shift -= 9) {
		uint64_t e = __atomic_load_n(&table[va >> shift & 511], __ATOMIC_ACQUIRE);

		e ^= PTE_P; /* clear now, if it is present */
		if (unlikely(e & (PTE_P | PTE_PS)))
			return NULL;
		table = phys_to_virt(e & PTE_PHYS);
	}
	return &table[va >> PAGE_SHIFT & 511];
}

/* The same for an entry of 2 MiB or 1 GiB, be it absent, a large page or a table: NULL only if a
 * table above it is absent or the address is mapped by a larger page. */
static inline uint64_t *pte_large(uint64_t root, uint64_t va, unsigned level)
{
	uint64_t *table = phys_to_virt(root);

#pragma GCC unroll 2
	for (unsigned shift = 39; shift > PAGE_SHIFT + 9 * (level - 1); shift -= 9) {
		uint64_t e = __atomic_load_n(&table[va >> shift & 511], __ATOMIC_ACQUIRE);

		if ((e & (PTE_P | PTE_PS)) != PTE_P)
			return NULL;
		table = phys_to_virt(e & PTE_PHYS);
	}
	return &table[va >> (PAGE_SHIFT + 9 * (level - 1)) & 511];
}

static inline uint64_t level_bytes(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

/* The entry for va where the walk ends: a leaf of any size, or something absent; *level says at
 * which. What is pointed to may be freed once ptl is let go, or interrupts are on again. */
static inline uint64_t *pte_lowest(uint64_t root, uint64_t va, unsigned *level)
{
	uint64_t table = root;

	for (unsigned l = 4;; l--) {
		uint64_t *entry =
			(uint64_t *)phys_to_virt(table) + (va >> (PAGE_SHIFT + 9 * (l - 1)) & 511);
		uint64_t e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

		*level = l;
		if (l == 1 || (e & (PTE_P | PTE_PS)) != PTE_P)
			return entry;
		table = e & PTE_PHYS;
	}
}

/* What names the (first) page that an entry with PTE_DEVMAP shows, its record or not. */
static inline struct page *pte_page(uint64_t pte)
{
	return (struct page *)((pte & PTE_COMPOUND ? NAME_BASE : RECORD_BASE) +
			       ((pte & PTE_PHYS) >> PAGE_SHIFT) * sizeof(struct page));
}
/* The record that counts this entry, which has no PTE_HEAD. */
static inline struct page *pte_own_record(uint64_t pte)
{
	_Static_assert(PAGE_SIZE / RECORD_SIZE == 128, "a record's place is its page's over 128");
	return (struct page *)(RECORD_BASE + (pte & PTE_PHYS) / 128);
}
/* The record that counts this entry. */
static inline struct page *pte_record(uint64_t pte)
{
	if (unlikely(pte & PTE_HEAD))
		return page_head(pte_page(pte));
	return pte_own_record(pte);
}

/* page_map_get() with its common case in line: in use already, so this is no birth. */
static inline void map_get(struct page *record)
{
	uint64_t old = page_state(record);

	if (unlikely(!(old & (PAGE_REF_MASK | PAGE_MAP_MASK))) ||
	    unlikely(!__atomic_compare_exchange_n(&record->state, &old, old + PAGE_MAP, false,
						  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)))
		page_map_get(record);
}

/* The bit that keeps fast gup off the entries of a VMA that wants to be asked first. */
static inline uint64_t vma_slow_bit(const struct vma *vma)
{
	return vma->flags & VM_SLOWGUP ? PTE_SLOW : 0;
}

/* busy.c */
void page_release_busy(struct page *record);
/* zero.c: where the shared zeroes of this level (1 or 2) are, made if need be; 0: no memory. */
uint64_t zero_frames(unsigned level);

/* ---- gup.c, gup_slow.c, gup_huge.c ----------------------------------------------------------- */

/* The bits that an entry must have. */
static inline uint64_t gup_needed(unsigned flags)
{
	return PTE_P | PTE_DEVMAP | (flags & FOLL_WRITE ? PTE_W : 0);
}
/* Does the entry lack what fast gup needs of it, or have what only others know to treat? */
static inline bool gup_fast_refuses(uint64_t pte, unsigned flags)
{
	const uint64_t write = flags & FOLL_WRITE ? PTE_W : 0;

	return (pte ^ (PTE_P | PTE_DEVMAP | PTE_W)) &
	       (PTE_P | PTE_DEVMAP | PTE_HEAD | PTE_SLOW | write);
}
/* Exactly one kind of reference; a long-term one is a pin by definition. Bit n of such a mask tells
 * whether the flags of the value n go together; FOLL_WRITE goes with all. */
#define GUP_FLAGS(f) (1u << (f) | 1u << ((f) | FOLL_WRITE))
#define GUP_SHORT_TERM                                                                             \
	(GUP_FLAGS(FOLL_GET) | GUP_FLAGS(FOLL_PIN) | GUP_FLAGS(FOLL_GET | FOLL_FAST_ONLY) |        \
	 GUP_FLAGS(FOLL_PIN | FOLL_FAST_ONLY))
#define GUP_ANY_TERM                                                                               \
	(GUP_SHORT_TERM | GUP_FLAGS(FOLL_PIN | FOLL_LONGTERM) |                                    \
	 GUP_FLAGS(FOLL_PIN | FOLL_LONGTERM | FOLL_FAST_ONLY))
static inline bool gup_args_ok(uint64_t addr, unsigned flags, uint32_t allowed)
{
	return flags < 32 && (allowed >> flags & 1) && !(addr & ~(USER_END - PAGE_SIZE));
}
/* -EINVAL: flags, alignment, no page, or pages beyond the end of user addresses. */
static inline int gup_check(uint64_t addr, unsigned long nr, unsigned flags)
{
	if (!gup_args_ok(addr, flags, GUP_ANY_TERM) || nr - 1 >= (USER_END - addr) >> PAGE_SHIFT)
		return -EINVAL;
	return 0;
}
/* The entry changed while n references were taken. False: they were given back. */
bool gup_keep_anyway(struct page *record, unsigned long n);
/* References on what a larger entry shows: up to nr pages from addr on. Interrupts off. */
unsigned long gup_fast_leaf(const struct mm *mm, uint64_t addr, unsigned long nr, uint64_t need,
			    struct page **pages);
/* The same through 4K entries of a folio, which have PTE_HEAD, from ptep on and as far as they show
 * neighbours; zero: the first one does not allow it. Interrupts off. */
unsigned long gup_fast_part(const uint64_t *ptep, unsigned long nr, uint64_t need,
			    struct page **pages);

enum zap_mode { ZAP_CLEAR, ZAP_CLEAN }; /* take the translation away, or only the right to write */
/* Works on [start, end) of the VMA; takes ptl; flushes; then drops counts. Entries changed. */
uint64_t zap_vma(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode);
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
/* ---- anon.c --------------------------------------------------------------------------------- */
void anon_init(void);
/* A page with a copy of `from` (4096 bytes; NULL: zeroes), neither mapped nor referenced: the
 * caller maps it, or frees the frame. NULL: no memory. Any context that may not be an interrupt. */
struct page *anon_page_new(const void *from);
uint64_t anon_entry(const struct page *page, bool writable); /* for the only one who shows it */
/* zap_vma() of a private mapping on behalf of the file: copies stay as they are. */
uint64_t zap_private(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode);
int mm_fault_locked(struct mm *mm, uint64_t addr, bool write, const char **why);

#endif
