/* SPDX-License-Identifier: MIT */
/* Device memory for self-tests; see internal.h. */
#include "mm/device/internal.h"
#include "mm/frames/internal.h"

/* pgmap_table_lock held. */
static uint64_t fake_phys(void)
{
	const uint64_t size = 16 * GIB;
	uint64_t at = (1ull << MIN(cpu_features.phys_bits, MAX_PHYS_BITS)) - size;

	while (ram_overlaps(at, at + size) || mmio_overlaps(at, at + size) ||
	       range_find(pgmap_table(), at >> PAGE_SHIFT, (at + size) >> PAGE_SHIFT))
		at -= size;
	return at;
}

struct pgmap fake_pgmap(int64_t offset_mib, uint64_t mib)
{
	struct pgmap pgmap = {.type = PGMAP_FS_DAX, .name = "fake", .nr_range = 1, .rest = 1};
	static uint64_t place; /* found once, before any fake is bound there */

	if (!place) {
		pgmap_table_lock();
		place = fake_phys();
		pgmap_table_unlock();
	}
	pgmap.range[0].start = (place + offset_mib * (int64_t)MIB) >> PAGE_SHIFT;
	pgmap.range[0].end = pgmap.range[0].start + (mib * MIB >> PAGE_SHIFT);
	return pgmap;
}

struct pgmap fake_compound(int64_t offset_mib, uint64_t mib, unsigned shift)
{
	struct pgmap pgmap = fake_pgmap(offset_mib, mib);

	pgmap.type = PGMAP_GENERIC;
	pgmap.vmemmap_shift = shift;
	return pgmap;
}

int fake_bound(struct pgmap *p, uint32_t rest, const struct pgmap_ops *ops, struct page **page)
{
	int err;

	*p = fake_pgmap(0, 2);
	p->rest = rest;
	p->ops = ops;
	*page = pfn_to_page(p->range[0].start);
	err = memremap_pages(p);
	if (err)
		return err;
	err = page_records_populate(p->range[0].start, 8);
	if (err)
		memunmap_pages(p);
	return err;
}

uint64_t frames_kept(void)
{
	return frame_stats().free + page_table_frames() + heap_frames() + slab_frames() +
	       stack_ram();
}

static void unmap_thread(void *arg)
{
	memunmap_pages(arg);
}

struct thread *start_unmap(struct pgmap *pgmap)
{
	return thread_create("unmap", unmap_thread, pgmap, 0);
}
