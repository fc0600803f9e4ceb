/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory and private copies: pages of RAM with page records; see anon.c.
 */
#ifndef MM_SPACE_ANON_H
#define MM_SPACE_ANON_H

/* Owns every record of RAM. In no table of ranges: pgmap_get() does not find it. */
extern struct pgmap ram_pgmap;
/* Anonymous pages in use, mapped or referenced; exact only while nobody moves. Zero: none. */
int64_t anon_pages(void);

/* Does the page-table entry show an anonymous page? A file's may be one of 2 MiB that has no record
 * of its own, so the head is asked. Any context; the caller keeps the entry's page from being
 * unbound, which a mapping does. */
static inline bool pte_is_anon(uint64_t entry)
{
	return (entry & (PTE_P | PTE_DEVMAP | PTE_COMPOUND)) == (PTE_P | PTE_DEVMAP) &&
	       page_head(pfn_to_page((entry & PTE_PHYS) >> PAGE_SHIFT))->pgmap == &ram_pgmap;
}

/* Maps `len` bytes of zeroes that belong to nobody else; errors as mm_map(). */
int mm_map_anon(struct mm *mm, uint64_t *addr, uint64_t len, bool write);

/* ---- for fault handlers of private mappings; mmap_lock held for reading --------------------- */

/* The 4K entry at the fault's address as it is now; 0: none. */
uint64_t vmf_entry(const struct vm_fault *vmf);
/* A page of its own, filled from the 4096 bytes at `from` (NULL: zeroes), takes the place of what
 * `seen` (a value of vmf_entry()) showed; if the entry is another one by now, nothing happens and
 * the access is repeated. Takes ptl. 0, or -ENOMEM with vmf->why set. Sleepable. */
int vmf_insert_anon(struct vm_fault *vmf, uint64_t seen, const void *from);
/* A store to an anonymous page: it becomes writable if nobody else has it, else it is copied. Takes
 * ptl. 0, or -ENOMEM with vmf->why set. Sleepable. */
int vmf_write_anon(struct vm_fault *vmf, uint64_t seen);

/* Clears what private mappings of the file show of its pages [first, last), copies too: for
 * truncate, behind the new end. Locks and value as unmap_mapping_range(), which leaves copies
 * alone. */
uint64_t unmap_mapping_copies(struct mapping *m, uint64_t first, uint64_t last);

#endif
