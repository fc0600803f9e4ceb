/* SPDX-License-Identifier: MIT */
/*
 * Where a page record stands: arithmetic alone, the same on the host.
 *
 * The windows, all empty at first:
 *
 *   RECORD_BASE    512 GiB   one record per 4 KiB page:   RECORD_BASE + 32 * pfn
 *   COMPOUND_BASE  512 GiB   512 slots of 1 GiB; a pgmap with compound records gets a slot:
 *                  slot 0 … 255    one record per 2 MiB:  slot's base + 32 * (pfn >> 9)
 *                  slot 256 … 511  one record per 1 GiB:  slot's base + 32 * (pfn >> 18)
 *
 * A pgmap has the base of its window, so page_of_pfn(pgmap, pfn) is the same sum for all of them,
 * and from a record's address alone follows its first pfn. A compound has one record and no tails:
 * what Linux keeps in 512 (or 262144) records, of which all but the head may not be written, is 32
 * bytes here. Slots keep two devices from sharing a frame of records: 128 compounds of 2 MiB are
 * 256 MiB, of 1 GiB 128 GiB, and devices are smaller than that.
 *
 * A page inside a compound has no record, and still a name: NAME_BASE + 32 * pfn, an address where
 * nothing is ever mapped. get_user_pages() hands names out, so that a device's address follows from
 * them; page_head() leads from a name to the record.
 */
#ifndef MM_PAGE_RECORD_H
#define MM_PAGE_RECORD_H

#include <stdint.h>

#define RECORD_SIZE	   32ull
#define RECORD_BASE	   0xffffe00000000000ull
#define COMPOUND_BASE	   0xffffe08000000000ull /* right behind the first window */
#define COMPOUND_END	   0xffffe10000000000ull
#define NAME_BASE	   COMPOUND_END /* 512 GiB of addresses, for ever empty */
#define COMPOUND_SLOTS	   512u
#define COMPOUND_SLOT_SIZE (1ull << 30)
#define SHIFT_4K	   0u /* log2 of the 4 KiB pages that one record stands for */
#define SHIFT_2M	   9u
#define SHIFT_1G	   18u

/* Base of a compound slot's window. */
static inline uint64_t record_slot_base(unsigned slot)
{
	return COMPOUND_BASE + slot * COMPOUND_SLOT_SIZE;
}
static inline unsigned record_slot_shift(unsigned slot)
{
	return slot < COMPOUND_SLOTS / 2 ? SHIFT_2M : SHIFT_1G;
}
/* log2 of the pages that the record at `va` stands for. */
static inline unsigned record_shift(uint64_t va)
{
	if (va < COMPOUND_BASE)
		return SHIFT_4K;
	return record_slot_shift((unsigned)((va - COMPOUND_BASE) / COMPOUND_SLOT_SIZE));
}
/* First pfn of the compound whose record is at `va` ≥ COMPOUND_BASE; of a name, its own. */
static inline uint64_t record_compound_pfn(uint64_t va)
{
	if (va >= NAME_BASE)
		return (va - NAME_BASE) / RECORD_SIZE;
	return (va & (COMPOUND_SLOT_SIZE - 1)) / RECORD_SIZE << record_shift(va);
}
static inline uint64_t record_va(uint64_t base, unsigned shift, uint64_t pfn)
{
	return base + (pfn >> shift) * RECORD_SIZE;
}
/* Frames of 4 KiB that hold the records of [pfn, pfn + nr), nr > 0. */
static inline uint64_t record_frames_for(uint64_t base, unsigned shift, uint64_t pfn, uint64_t nr)
{
	return (record_va(base, shift, pfn + nr - 1) >> 12) - (record_va(base, shift, pfn) >> 12) +
	       1;
}

#endif
