/* SPDX-License-Identifier: MIT */
/* Page tables as mm/ alone deals with them: walks, what an entry names, zaps. */
#ifndef MM_TABLES_INTERNAL_H
#define MM_TABLES_INTERNAL_H

#include "mm/mm.h"

void page_tables_init(const struct boot_info *bi);
/* Frees a table, of entries of `level`, and the empty ones below it. Nobody may be walking it. */
void pte_free_table(uint64_t phys, unsigned level);

/* Frees the tables of the low half under `root` and the root. Nothing may be mapped. */
void pte_free_low_half(uint64_t root);
void mm_count_table(int delta);

/*
 * The walks of the fast paths. An entry that points at a table holds its address and rights, and
 * nothing above them (table_install() alone makes one), and the direct map begins where no frame's
 * address has a bit (boot/map.c). So one exclusive-or makes of a present entry the table's place in
 * the direct map, but for the rights, and of its PTE_P a zero beside PTE_PS.
 */
#define TABLE_AT (DIRECT_BASE | PTE_P)

/* Does an entry, with TABLE_AT taken out of it, point at a table? And the entry in that for va. */
static inline bool table_is_there(uint64_t at)
{
	return !(at & (PTE_P | PTE_PS));
}
static inline uint64_t *table_entry(uint64_t at, uint64_t va, unsigned shift)
{
	uint64_t table = at & ~(PAGE_SIZE - 1);

	if (!table) /* so that a caller's look for NULL need not look at this one */
		__builtin_unreachable();
	return (uint64_t *)table + (va >> shift & 511);
}

/*
 * pte_walk() to level 1 for the fast paths: the 4K entry for va, NULL if a table is absent or the
 * address is mapped by a larger page.
 */
static inline uint64_t *pte_leaf(uint64_t root, uint64_t va)
{
	uint64_t at = root ^ DIRECT_BASE;

#pragma GCC unroll 3
	for (unsigned shift = 39; shift > PAGE_SHIFT; shift -= 9) {
		at = __atomic_load_n(table_entry(at, va, shift), __ATOMIC_ACQUIRE) ^ TABLE_AT;
		if (unlikely(!table_is_there(at)))
			return NULL;
	}
	return table_entry(at, va, PAGE_SHIFT);
}

/* The same for an entry of 2 MiB or 1 GiB, be it absent, a large page or a table: NULL only if a
 * table above it is absent or the address is mapped by a larger page. */
static inline uint64_t *pte_large(uint64_t root, uint64_t va, unsigned level)
{
	uint64_t at = root ^ DIRECT_BASE;

#pragma GCC unroll 2
	for (unsigned shift = 39; shift > PAGE_SHIFT + 9 * (level - 1); shift -= 9) {
		at = __atomic_load_n(table_entry(at, va, shift), __ATOMIC_ACQUIRE) ^ TABLE_AT;
		if (!table_is_there(at))
			return NULL;
	}
	return table_entry(at, va, PAGE_SHIFT + 9 * (level - 1));
}

static inline uint64_t level_bytes(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

/* The entry for va where the walk ends: a leaf of any size, or something absent; *level says at
 * which. What is pointed to may be freed once ptl is let go, or interrupts are on again. */
static inline uint64_t *pte_lowest(uint64_t root, uint64_t va, unsigned *level)
{
	uint64_t at = root ^ DIRECT_BASE;

	for (unsigned l = 4, shift = 39;; l--, shift -= 9) {
		uint64_t *entry = table_entry(at, va, shift);

		*level = l;
		at = __atomic_load_n(entry, __ATOMIC_ACQUIRE) ^ TABLE_AT;
		if (l == 1 || !table_is_there(at))
			return entry;
	}
}

/* The first page that an entry with PTE_DEVMAP shows. */
static inline struct page *pte_to_page(uint64_t pte)
{
	return (struct page *)((pte & PTE_COMPOUND ? NAME_BASE : RECORD_BASE) +
			       pte_to_pfn(pte) * sizeof(struct page));
}
/* The record that counts this entry. */
static inline struct page *pte_to_record(uint64_t pte)
{
	if (unlikely(pte & PTE_HEAD))
		return page_to_record(pte_to_page(pte));
	return pfn_to_page(pte_to_pfn(pte));
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

enum zap_mode { ZAP_CLEAR, ZAP_CLEAN }; /* take the translation away, or only the right to write */
/* Works on [start, end) of the VMA; takes ptl; flushes; then drops counts. Entries changed. */
uint64_t zap_vma(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode);

/* So many pages are flushed one by one, and for one more everything is (tlb.c). */
#define FLUSH_ALL_ABOVE 64

#endif
