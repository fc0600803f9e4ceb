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
uint64_t kvirt_reserve(uint64_t bytes); /* address space only; never given back */
void page_tables_init(const struct boot_info *bi);
void pte_free_table(uint64_t phys);
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

		if ((e & (PTE_P | PTE_PS)) != PTE_P)
			return NULL;
		table = phys_to_virt(e & PTE_PHYS);
	}
	return &table[va >> PAGE_SHIFT & 511];
}

/* The record of the page that an entry with PTE_DEVMAP shows. */
static inline struct page *pte_page(uint64_t pte)
{
	return (struct page *)(RECORD_BASE +
			       ((pte & PTE_PHYS) >> PAGE_SHIFT) * sizeof(struct page));
}

enum zap_mode { ZAP_CLEAR, ZAP_CLEAN }; /* take the translation away, or only the right to write */
/* Works on [start, end) of the VMA; takes ptl; flushes; then drops counts. Entries changed. */
uint64_t zap_vma(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode);
int mm_fault_locked(struct mm *mm, uint64_t addr, bool write, const char **why);

#endif
