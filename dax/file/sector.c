/* SPDX-License-Identifier: MIT */
/*
 * Entries that hold a sector instead of a page frame, as DAX did before Linux 4.15: A-2.
 *
 * A sector is a place on a block device. Whoever wants the bytes (fsync, above all) has to ask the
 * device where they are mapped, and a device that was killed does not answer: what is dirty then
 * can not be flushed any more, though it lies in memory that is still there. "dax: store pfns in
 * the radix" put the page frame into the entry, which needs nobody. The mount option
 * entries=sectors of the lifetime `unaware` brings the old way back, `pmem kill` kills the device.
 *
 * Such an entry has ENTRY_SECTOR, the number of the region in its top bits, and the distance from
 * the region's start where others have the physical address.
 */
#include "dax/file/internal.h"

#define REGION_SHIFT 52

bool sector_can_name(const struct pmem_region *r)
{
	unsigned number = 0;

	while (pmem_nth(number) != r)
		number++;
	return number < 1u << (64 - REGION_SHIFT);
}

static struct pmem_region *region_of(uint64_t entry)
{
	return pmem_nth(entry >> REGION_SHIFT);
}

uint64_t sector_entry(const struct dax_fs *fs, uint64_t pfn)
{
	uint64_t number = 0;

	while (pmem_nth(number) != fs->region)
		number++;
	return ((pfn << PAGE_SHIFT) - fs->region->start) | number << REGION_SHIFT | ENTRY_SECTOR;
}

uint64_t sector_to_pfn(uint64_t entry)
{
	return (region_of(entry)->start + (entry & PTE_PHYS)) >> PAGE_SHIFT;
}

bool run_write_back(const struct entry_run *run)
{
	if (unlikely(run->entry & ENTRY_SECTOR) && !pmem_is_present(region_of(run->entry)))
		return false;
	cache_writeback(phys_to_virt(entry_to_pfn(run->entry) << PAGE_SHIFT),
			run_pages(run) << PAGE_SHIFT);
	return true;
}
