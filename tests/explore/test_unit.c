/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of cutting a device off (iommu.model-*), with a unit in memory (scenarios/unit.h):
 * what is asked of the machine's own by iommu.*, and what no real unit shows, which forgets more
 * than it was told.
 */
#include "kernel/selftest/selftest.h"
#include "tests/explore/scenarios/unit.h"

#define PAGES 600u /* more than one table has, and apart in memory */
#define WORD  0x1122334455667788ull

static struct page *page[PAGES];
static struct dma_mapping a, b;

static void end(void)
{
	if (a.dev)
		dma_unmap(&a);
	if (b.dev)
		dma_unmap(&b);
	for (unsigned i = 0; i < PAGES; i++)
		if (page[i])
			plain_page_free(page[i]);
	memset(page, 0, sizeof(page));
	unit_teardown();
}

/* The first n pages are mapped, at bus page `at` (zero: anywhere), and the device wrote to each. */
static int begin(int most_order, unsigned n, uint64_t at)
{
	int err = unit_setup(most_order, 1);

	a = b = (struct dma_mapping){.what = "of a test"};
	for (unsigned i = 0; i < PAGES && !err; i++)
		err = (page[i] = plain_page_alloc()) ? 0 : -ENOMEM;
	if (!err)
		err = at ? dma_map_at(&unit.dev, &a, at * PAGE_SIZE, page, n, DMA_BOTH)
			 : dma_map(&unit.dev, &a, page, n, DMA_BOTH);
	for (unsigned i = 0; i < n && !err; i++)
		err = unit_write(dma_bus(&a, i), WORD) ? 0 : -EFAULT;
	return err;
}

/* Which of the first n pages the device reaches now, bit by bit. */
static uint64_t reached(uint64_t bus, unsigned n)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < n; i++)
		bits |= (uint64_t)unit_write(bus + i * PAGE_SIZE, WORD) << i;
	return bits;
}

/* What the unit was told last, beside the eight pages at `bus` that it was about. */
static const char *told_what(uint64_t bus)
{
	uint64_t page = bus / PAGE_SIZE;

	if (!unit.told_pages)
		return "it was told to forget nothing, and they begin";
	if (unit.told_first >= page + 8 || unit.told_first + unit.told_pages <= page)
		return "it was told to forget other pages than these, which begin";
	return "it was told to forget some of these, which begin";
}

SELFTEST(model_unmap, "iommu.model-unmap",
	 "behind dma_unmap() the device reaches none of the pages, and the bus addresses are free")
{
	int err = begin(9, 8, 0);
	uint64_t bus = a.bus, left;

	EXPECT_OR(out, !err, "error %d", err);
	dma_unmap(&a);
	left = reached(bus, 8);
	EXPECT_OR(out, !left && !unit.domain.space.nr,
		  "reached 0x%lx, %lu range(s) taken; of the unit: %s at bus page %lu; told: %lu "
		  "page(s) from bus page %lu on",
		  left, unit.domain.space.nr, told_what(bus), bus / PAGE_SIZE, unit.told_pages,
		  unit.told_first);
out:
	end();
}

SELFTEST(model_cut, "iommu.model-cut",
	 "behind dma_cut() the device reaches none of the pages; their bus addresses are nobody "
	 "else's before dma_unmap()")
{
	int err = begin(9, 8, 0), other;
	uint64_t left;

	EXPECT_OR(out, !err && !dma_cut(&a), "error %d", err);
	left = reached(a.bus, 8);
	other = dma_map(&unit.dev, &b, page, 8, DMA_BOTH);
	EXPECT_OR(out, !left, "reached 0x%lx", left);
	EXPECT_OR(out, !other && a.bus != b.bus && unit.domain.space.nr == 2,
		  "another mapping (%d) has 0x%lx, and this one has 0x%lx", other, b.bus, a.bus);
out:
	end();
}

SELFTEST(model_bytes, "iommu.model-cut-bytes",
	 "of a mapping that is cut in part every page goes of which a byte is named, and no other; "
	 "with its end the rest goes")
{
	static const struct {
		uint64_t at, bytes, left;
	} c[] = {{PAGE_SIZE, 1, 0xd},
		 {2 * PAGE_SIZE - 1, 2, 0x9},
		 {0, PAGE_SIZE, 0xe},
		 {PAGE_SIZE + 5, 2 * PAGE_SIZE, 0x1},
		 {0, 4 * PAGE_SIZE, 0}};

	for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]) && !t->failed; i++) {
		int err = begin(9, 4, 0), cut = err ?: dma_cut_bytes(&a, c[i].at, c[i].bytes);
		uint64_t bus = a.bus, left, then;

		EXPECT_OR(out, !cut, "set-up %d, bytes [%lu, + %lu) are not cut: error %d", err,
			  c[i].at, c[i].bytes, cut);
		left = reached(bus, 4);
		dma_unmap(&a);
		then = reached(bus, 4);
		EXPECT_OR(out, left == c[i].left, "bytes [%lu, + %lu): reached 0x%lx, not 0x%lx",
			  c[i].at, c[i].bytes, left, c[i].left);
		EXPECT_OR(out, !then && !unit.domain.space.nr,
			  "behind the end 0x%lx are reached, %lu range(s) taken", then,
			  unit.domain.space.nr);
	out:
		end();
	}
}

SELFTEST(model_rest, "iommu.model-cut-rest",
	 "of a mapping that is cut in part the unit goes on remembering each page outside the "
	 "smallest block that holds what went")
{
	static const struct {
		unsigned page, nr, left; /* what goes of eight pages, and what is remembered */
	} c[] = {{0, 1, 7}, {5, 1, 7}, {7, 1, 7}, {2, 2, 6}, {6, 2, 6}, {1, 2, 4}, {4, 3, 4}};

	for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]) && !t->failed; i++) {
		int err = begin(9, 8, 512);
		unsigned left;

		err = err ?: dma_cut_bytes(&a, c[i].page * PAGE_SIZE, c[i].nr * PAGE_SIZE);
		EXPECT_OR(out, !err, "error %d", err);
		left = unit_remembers(a.bus, 8 * PAGE_SIZE);
		EXPECT_OR(out, left >= c[i].left,
			  "%u page(s) from page %u on are cut, of 8: %u are remembered, not %u",
			  c[i].nr, c[i].page, left, c[i].left);
	out:
		end();
	}
}

SELFTEST(model_once, "iommu.model-once",
	 "the unit is told once a cut, however many pages go, and not again when what was cut ends")
{
	int err = begin(9, 300, 0);
	unsigned told, again;

	EXPECT_OR(out, !err, "error %d", err);
	told = unit.selected + unit.whole;
	dma_cut_bytes(&a, PAGE_SIZE, 0); /* no byte, no page */
	dma_cut(&a);
	told = unit.selected + unit.whole - told;
	again = unit.selected + unit.whole;
	dma_cut(&a);
	dma_cut_bytes(&a, PAGE_SIZE, PAGE_SIZE);
	dma_unmap(&a);
	again = unit.selected + unit.whole - again;
	EXPECT_OR(out, told == 1 && !again, "told %u time(s), and %u again", told, again);
out:
	end();
}

SELFTEST(model_range, "iommu.model-block",
	 "wherever pages lie and however many they are, the unit forgets them all; what lies far "
	 "off it is not told to forget, if it can be told of blocks that large")
{
	static const struct {
		unsigned at, n;
		int most;
		bool whole;
	} c[] = {{512, 1, 9, false},   {513, 1, 9, false},   {513, 2, 9, false},
		 {515, 2, 9, false},   {511, 2, 9, true},    {512, 8, 9, false},
		 {516, 8, 9, false},   {700, 100, 9, false}, {1023, 2, 9, true},
		 {512, 512, 9, false}, {600, 512, 9, true},  {512, 5, 2, true},
		 {512, 4, 2, false},   {600, 3, -1, true}};

	for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]) && !t->failed; i++) {
		int err = begin(c[i].most, c[i].n, c[i].at);
		unsigned whole = unit.whole, left;

		EXPECT_OR(out, !err, "error %d", err);
		dma_cut(&a);
		left = unit_remembers(a.bus, c[i].n * PAGE_SIZE);
		whole = unit.whole - whole;
		EXPECT_OR(out, !left, "%u page(s) from bus page %u on, blocks of 2^%d: %u left",
			  c[i].n, c[i].at, c[i].most, left);
		EXPECT_OR(
			out, whole == c[i].whole,
			"%u page(s) from bus page %u on, blocks of 2^%d: all forgotten %u time(s)",
			c[i].n, c[i].at, c[i].most, whole);
	out:
		end();
	}
}

SELFTEST(model_other, "iommu.model-neighbour",
	 "what the unit remembers of another mapping it may go on using, and that is reached as "
	 "before")
{
	int err = begin(9, 8, 0);
	unsigned left = 0;
	bool there = false;

	err = err ?: dma_map(&unit.dev, &b, &page[8], 8, DMA_BOTH);
	EXPECT_OR(out, !err && reached(b.bus, 8) == 0xff, "error %d", err);
	dma_unmap(&a);
	left = unit_remembers(b.bus, 8 * PAGE_SIZE);
	there = reached(b.bus, 8) == 0xff;
	EXPECT_OR(out, there && left == 8, "reached %d, %u of 8 pages remembered", there, left);
out:
	end();
}

SELFTEST(model_tables, "iommu.model-tables",
	 "a table that goes with its 2 MiB is given back when the unit has forgotten it, and not "
	 "before; every entry is written back by then")
{
	int err = begin(9, 512, 512);

	EXPECT_OR(out, !err, "error %d", err);
	unit.waiting = unit.early = 0;
	dma_cut(&a);
	EXPECT_OR(out, unit.waiting == 1, "%u table(s) waited for the unit", unit.waiting);
	EXPECT_OR(out, !unit.domain.tables.nr_dropped, "%lu table(s) are kept",
		  unit.domain.tables.nr_dropped);
	EXPECT_OR(out, !unit.early, "entries were not written back");
out:
	end();
}

SELFTEST(model_refused, "iommu.model-part-of-large",
	 "a part of a large page is not cut: -EINVAL, and nothing was changed")
{
	struct page *first = NULL;
	uint64_t frame = 0, leaves;
	int err = begin(9, 1, 0), part = 0;
	unsigned told = 0;

	frame = frame_alloc(9);
	EXPECT_OR(out, !err && frame, "error %d, or no memory", err);
	first = pfn_to_page(frame >> PAGE_SHIFT);
	err = dma_map_range(&unit.dev, &b, first, 512, DMA_BOTH);
	leaves = slpt_leaves(&unit.domain.tables);
	told = unit.selected + unit.whole;
	part = dma_cut_bytes(&b, PAGE_SIZE, PAGE_SIZE);
	told = unit.selected + unit.whole - told;
	EXPECT_OR(out, !err && leaves == 2, "error %d, %lu leaves", err, leaves);
	EXPECT_OR(out,
		  part == -EINVAL && !told && !b.cut && slpt_leaves(&unit.domain.tables) == leaves,
		  "error %d, told %u time(s), cut %d", part, told, b.cut);
out:
	end();
	if (frame)
		frame_free(frame, 9);
}
