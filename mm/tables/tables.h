/* SPDX-License-Identifier: MIT */
/* Page tables of four levels. Included by mm.h. */
#ifndef MM_TABLES_TABLES_H
#define MM_TABLES_TABLES_H

/* ---- pagetable.c: 4-level tables ------------------------------------------------------------ */

#define PTE_P	     (1ul << 0)
#define PTE_W	     (1ul << 1)
#define PTE_PCD	     (1ul << 4)
#define PTE_A	     (1ul << 5)
#define PTE_D	     (1ul << 6)
#define PTE_PS	     (1ul << 7)
#define PTE_G	     (1ul << 8)
#define PTE_DEVMAP   (1ul << 9)	 /* software: the pfn has a page record (Linux's name) */
#define PTE_SPECIAL  (1ul << 10) /* software: no record; gup refuses it */
#define PTE_HEAD     (1ul << 11) /* software: page_to_record() of the page counts this entry */
#define PTE_COMPOUND (1ul << 58) /* software: a compound's page, which has a name and no record */
#define PTE_OWN	     (1ul << 57) /* software: an anonymous page that no other entry shows */
#define PTE_SLOW     (1ul << 56) /* software: left to slow gup (VM_SLOWGUP; anonymous, not PTE_OWN) */
#define PTE_SINGLE   (1ul << 55) /* software, of a head's frame of records: see folio.c */
#define PTE_NX	     (1ul << 63)
#define PTE_PHYS     0x000ffffffffff000ul

/* The first pfn that an entry shows. */
static inline uint64_t pte_to_pfn(uint64_t pte)
{
	return (pte & PTE_PHYS) >> PAGE_SHIFT;
}

/* Level 1 = 4K entries, 2 = 2M (PMD), 3 = 1G (PUD), 4 = PML4. */
/*
 * Pointer to the level-`level` entry for va under the root table at physical `root`; NULL if a
 * table above is absent or the address is mapped by a larger page; *at, if not NULL, is the level
 * where it stopped. `make` builds absent tables; NULL then means no memory, or still the larger
 * page. Tables are installed by compare-exchange, so two makers need no lock between them.
 */
uint64_t *pte_walk(uint64_t root, uint64_t va, unsigned level, bool make, unsigned *at);
extern uint64_t kernel_root; /* physical address of the kernel's PML4 */
/* Maps [va, va+len) to phys with the largest pages that alignment and `max_level` allow. -ENOMEM.
 */
int kernel_map(uint64_t va, uint64_t phys, uint64_t len, uint64_t prot, unsigned max_level);
/* Unmaps and flushes every CPU's TLB (global entries too). Value: how many 4K frames were mapped;
 * `free_frames`: they are given back as well. Interrupts on, no spinlock held. */
uint64_t kernel_unmap(uint64_t va, uint64_t len, bool free_frames);
/* Gives the tables of 4K entries back that lie whole in [va, va + len), where nothing is mapped any
 * more and nobody walks: they would have to be looked through by the range's next owner. Interrupts
 * on, no spinlock held. */
void kernel_drop_tables(uint64_t va, uint64_t len);
bool kernel_is_mapped(uint64_t va, uint64_t len); /* any of it */
void *map_mmio(uint64_t phys, uint64_t len);	  /* uncached; for ever */
bool mmio_overlaps(uint64_t start, uint64_t end); /* with what map_mmio() was given */
uint64_t page_table_frames(void); /* frames in use as page tables, all address spaces */

#endif
