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
uint64_t kvirt_reserve(uint64_t bytes); /* address space only; never given back */
void page_tables_init(const struct boot_info *bi);
void pte_free_table(uint64_t phys);
void faults_init(void);
/* Frees the tables of the low half under `root` and the root. Nothing may be mapped. */
void pte_free_low_half(uint64_t root);
void mm_count_table(int delta);
/* Switches this CPU to `next` (NULL: the kernel's own tables). Interrupts off. */
void mm_switch(void *next);

enum zap_mode { ZAP_CLEAR, ZAP_CLEAN }; /* take the translation away, or only the right to write */
/* Works on [start, end) of the VMA; takes ptl; flushes; then drops counts. Entries changed. */
uint64_t zap_vma(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode);
int mm_fault_locked(struct mm *mm, uint64_t addr, bool write, const char **why);

#endif
