/* SPDX-License-Identifier: MIT */
/*
 * A device that was told where to write, and writes when it likes.
 *
 * The page is held from the start. The device's store is its DMA, and its completion is an
 * interrupt that gives the reference back: the last put, wherever that interrupt comes.
 */
#include "tests/explore/scenarios/files.h"

#define DMA 0x414d4420414d4420ull

static int touched(void)
{
	return files_setup(1, FILES_TOUCHED);
}

static void completed(void *unused)
{
	(void)unused;
	put_user_page(files.held);
}

static void transfer(unsigned cpu)
{
	__atomic_store_n((uint64_t *)page_to_virt(files.held), DMA, __ATOMIC_RELAXED);
	x_interrupt(cpu, completed, NULL);
}

static void transfer_to_first(void)
{
	transfer(0);
}

EXPLORE_SCENARIO(
	dma_truncate, "dma.truncate",
	"what a device writes late is in no other file, and its completion wakes who waits", FILES,
	.setup = touched, .start = files_hold, .thread = {{"truncate", files_truncate}},
	.device = {{"edu", transfer_to_first}});
EXPLORE_SCENARIO(dma_punch, "dma.punch", "the same, where a hole is punched", FILES,
		 .setup = touched, .start = files_hold, .thread = {{"punch", files_punch}},
		 .device = {{"edu", transfer_to_first}});
EXPLORE_SCENARIO(dma_munmap, "dma.munmap",
		 "a device writes into a page that is unmapped: it is held", FILES,
		 .setup = touched, .start = files_hold, .thread = {{"munmap", files_munmap}},
		 .device = {{"edu", transfer_to_first}});
EXPLORE_SCENARIO(dma_gup, "dma.gup", "a completion beside fast gup of the same page", FILES,
		 .setup = touched, .start = files_hold, .thread = {{"gup", files_gup_fast}},
		 .device = {{"edu", transfer_to_first}});
EXPLORE_SCENARIO(dma_truncate_munmap, "dma.truncate-munmap",
		 "a device, a truncate and an unmapping of one page", FILES, .setup = touched,
		 .start = files_hold,
		 .thread = {{"truncate", files_truncate}, {"munmap", files_munmap}},
		 .device = {{"edu", transfer_to_first}});
