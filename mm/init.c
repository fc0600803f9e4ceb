/* SPDX-License-Identifier: MIT */
/*
 * How memory management comes up, from boot's tables to ours.
 *
 * 1. Boot maps the low 4 GiB one to one; we hang the same tables below DIRECT_BASE, so that
 *    phys_to_virt() works for RAM below 4 GiB from now on.
 * 2. The frame allocator gets that RAM, less BOOT_LOW_KEPT, the kernel image, boot's page tables in
 *    it, and its own maps.
 * 3. The final page tables are built and loaded; RAM above 4 GiB, now reachable, is added.
 */
#include "mm/frames/internal.h"
#include "mm/tables/internal.h"
#include "mm/space/internal.h"

#define LOW_LIMIT (4 * GIB)

bool ram_overlaps(uint64_t start, uint64_t end)
{
	const struct boot_info *bi = boot_info();

	for (unsigned i = 0; i < bi->nr_ranges; i++) {
		const struct boot_range *r = &bi->ranges[i];

		if (r->type == BOOT_RAM && r->base < end && r->base + r->len > start)
			return true;
	}
	return false;
}

static void borrow_boot_tables(void)
{
	uint64_t *pml4 = (uint64_t *)(read_cr3() & PTE_PHYS);

	pml4[(DIRECT_BASE >> 39) & 511] = pml4[0];
	tlb_flush_all_local();
}

/* Room for the pair maps: the first RAM after the image, below 4 GiB, that is long enough. */
static uint64_t find_room(const struct boot_info *bi, uint64_t bytes, uint64_t after)
{
	for (unsigned i = 0; i < bi->nr_ranges; i++) {
		const struct boot_range *r = &bi->ranges[i];
		uint64_t start = ALIGN_UP(MAX(r->base, after), PAGE_SIZE);

		if (r->type == BOOT_RAM && start + bytes <= MIN(r->base + r->len, LOW_LIMIT))
			return start;
	}
	panic("expected %lu KiB of RAM below 4 GiB for the frame maps, found no such range",
	      bytes / KIB);
}

static void count_ram(const struct boot_info *bi, uint64_t *frames, uint64_t *max_pfn)
{
	*frames = *max_pfn = 0;
	for (unsigned i = 0; i < bi->nr_ranges; i++) {
		const struct boot_range *r = &bi->ranges[i];

		if (r->type != BOOT_RAM)
			continue;
		*frames += r->len / PAGE_SIZE;
		*max_pfn = (r->base + r->len) / PAGE_SIZE;
	}
}

static int memory_init(const struct boot_info *bi)
{
	static const struct stack_ops stacks = {stack_alloc, stack_free};
	uint64_t frames, max_pfn, room, maps;
	struct span holes[3] = {{0, BOOT_LOW_KEPT}};

	borrow_boot_tables();
	count_ram(bi, &frames, &max_pfn);
	maps = frames_maps_size(max_pfn);
	holes[1] = (struct span){boot_image_start(), ALIGN_UP(boot_image_end(), PAGE_SIZE)};
	room = find_room(bi, maps, holes[1].end);
	holes[2] = (struct span){room, room + maps};
	frames_init(max_pfn, phys_to_virt(room), frames);
	frames_add(bi, 0, LOW_LIMIT, holes, ARRAY_SIZE(holes));
	page_tables_init(bi);
	frames_add(bi, LOW_LIMIT, ~0ull, NULL, 0);
	frames_init_done();
	kernel_set_map_mmio(map_mmio);
	kernel_set_address_name(kernel_address_name);
	thread_set_stack_ops(&stacks);
	faults_init();
	anon_init();
	return 0;
}
INITCALL(INIT_FRAMES, memory, "frames, page tables, heap", memory_init);
