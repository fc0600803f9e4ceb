/* SPDX-License-Identifier: MIT */
/*
 * A device that writes while its translation is taken away: the driver's own code, with a unit in
 * memory (unit.h).
 */
#include "tests/explore/scenarios/unit.h"

#define OF_DEVICE 0x454349564544ull
#define OF_NEXT	  0x5458454eull

static struct page *page[3];
static struct dma_mapping mapping, other;
static uint64_t bus;

static void teardown(void)
{
	for (unsigned i = 0; i < 3; i++)
		if (page[i])
			plain_page_free(page[i]);
	unit_teardown();
}

static int setup(void)
{
	int err = unit_setup(9, 1);

	for (unsigned i = 0; i < 3 && !err; i++) {
		page[i] = plain_page_alloc();
		err = page[i] ? 0 : -ENOMEM;
	}
	if (err)
		teardown();
	return err;
}

static uint64_t *word(unsigned i)
{
	return page_to_virt(page[i]);
}

static void map(unsigned pages)
{
	int err;

	mapping = other = (struct dma_mapping){.what = "of a scenario"};
	err = dma_map(&unit.dev, &mapping, page, pages, DMA_BOTH);
	X_EXPECT("set-up", !err, "not mapped: %d", err);
	bus = mapping.bus;
}

static void one_page(void)
{
	map(1);
}

static void two_pages(void)
{
	map(2);
}

/* ---- threads -----------------------------------------------------------------------------------
 */

/* It was told where to write, and not that it is over. */
static void device(void)
{
	x_observe(unit_write(bus, OF_DEVICE));
	x_observe(unit_write(bus, OF_DEVICE));
}

static void device_both(void)
{
	x_observe(unit_write(bus + PAGE_SIZE, OF_DEVICE));
	x_observe(unit_write(bus + PAGE_SIZE, OF_DEVICE));
	X_EXPECT("I1", unit_write(bus, OF_DEVICE), "a page that was not cut is out of reach");
}

/* The page is somebody else's from now on. */
static void give_away(unsigned i)
{
	__atomic_store_n(word(i), OF_NEXT, __ATOMIC_SEQ_CST);
	x_point("the page has its next owner");
	X_EXPECT("I1", __atomic_load_n(word(i), __ATOMIC_RELAXED) == OF_NEXT,
		 "the device wrote into a page that was taken from it");
}

static void unmap(void)
{
	dma_unmap(&mapping);
	give_away(0);
}

static void cut(void)
{
	X_EXPECT("I4", !dma_cut(&mapping), "not cut");
	give_away(0);
}

static void cut_second(void)
{
	X_EXPECT("I4", !dma_cut_bytes(&mapping, PAGE_SIZE, PAGE_SIZE), "not cut");
	give_away(1);
}

static void map_other(void)
{
	int err = dma_map(&unit.dev, &other, &page[2], 1, DMA_BOTH);

	X_EXPECT("I4", !err, "another mapping is refused: %d", err);
}

static void cut_and_map_other(void)
{
	cut();
	map_other();
}

static void unmap_part_cut(void)
{
	cut_second();
	unmap();
}

static void end(void)
{
	X_EXPECT("I1", __atomic_load_n(word(2), __ATOMIC_RELAXED) != OF_DEVICE,
		 "the device wrote into what another driver mapped");
	X_EXPECT("I2", !unit.domain.tables.nr_dropped, "a table is out of use and not given back");
}

#define IOMMU .setup = setup, .teardown = teardown, .end = end
EXPLORE_SCENARIO(iommu_unmap, "iommu.unmap-write",
		 "behind dma_unmap() no byte of the device arrives", IOMMU, .start = one_page,
		 .thread = {{"owner", unmap}, {"device", device}});
EXPLORE_SCENARIO(iommu_cut, "iommu.cut-write",
		 "behind dma_cut() no byte of a device that was not told arrives", IOMMU,
		 .start = one_page, .thread = {{"owner", cut}, {"device", device}});
EXPLORE_SCENARIO(iommu_cut_part, "iommu.cut-part-write",
		 "a part of a mapping is cut, and the device goes on writing to the rest", IOMMU,
		 .start = two_pages, .thread = {{"owner", cut_second}, {"device", device_both}});
EXPLORE_SCENARIO(iommu_cut_unmap, "iommu.cut-part-unmap",
		 "a mapping ends of which a part was cut: none of it is reached", IOMMU,
		 .start = two_pages, .thread = {{"owner", unmap_part_cut}, {"device", device}});
EXPLORE_SCENARIO(iommu_cut_reuse, "iommu.cut-map-write",
		 "bus addresses of what was cut are not another mapping's while the device writes",
		 IOMMU, .start = one_page,
		 .thread = {{"owner", cut_and_map_other}, {"device", device}});
EXPLORE_SCENARIO(iommu_two, "iommu.cut-beside-map", "a mapping is cut while another driver maps",
		 IOMMU, .start = one_page,
		 .thread = {{"owner", cut}, {"other", map_other}, {"device", device}});
