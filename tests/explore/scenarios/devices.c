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

static int direct(void)
{
	return files_setup(1, FILES_TOUCHED | FILES_DIRECT);
}

static int both_have_one(void)
{
	return files_setup(1, FILES_TOUCHED | FILES_G_HAS_ONE);
}

static void completed(void *unused)
{
	(void)unused;
	put_user_page(files.held);
}

static void completed_too(void *unused)
{
	(void)unused;
	put_user_page(files.held_too);
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

static void transfer_too(void)
{
	__atomic_store_n((uint64_t *)page_to_virt(files.held_too) + 1, DMA, __ATOMIC_RELAXED);
	x_interrupt(0, completed_too, NULL);
}

static void exchange(void)
{
	files_exchange();
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

#define DMA_BESIDE(ident, name, claim, set_up, who, fn, ...)                                       \
	EXPLORE_SCENARIO(ident, name, claim, FILES, .setup = set_up, .start = files_hold,          \
			 .thread = {{who, fn}}, .device = {{"edu", transfer_to_first}},            \
			 ##__VA_ARGS__)

DMA_BESIDE(dma_store, "dma.store", "a store beside a device's, and its completion", touched,
	   "store", files_store);
DMA_BESIDE(dma_slow, "dma.slow", "a completion beside slow gup of the same page", touched, "gup",
	   files_gup_slow);
DMA_BESIDE(dma_protect, "dma.mprotect",
	   "a device writes where the process may not any more: it was allowed to", touched,
	   "mprotect", files_protect);
DMA_BESIDE(dma_fork, "dma.fork", "a completion while the space is copied", touched, "fork",
	   files_fork);
DMA_BESIDE(dma_exchange, "dma.exchange",
	   "a page that a device writes into does not change its file", both_have_one, "exchange",
	   exchange);
EXPLORE_SCENARIO(dma_direct, "dma.break",
		 "a lease is broken, and its mapping revoked, while a device still writes", FILES,
		 .setup = direct, .start = files_hold,
		 .thread = {{"break", files_break}, {"revoke", files_revoke}},
		 .device = {{"edu", transfer_to_first}});
EXPLORE_SCENARIO(dma_put, "dma.put", "a completion and a put: one of them is the last", FILES,
		 .setup = touched, .start = files_hold_twice, .thread = {{"put", files_put_second}},
		 .device = {{"edu", transfer_to_first}});
EXPLORE_SCENARIO(dma_two, "dma.two-truncate",
		 "two devices write into a page that is cut off: the last completion releases it",
		 FILES, .setup = touched, .start = files_hold_twice,
		 .thread = {{"truncate", files_truncate}},
		 .device = {{"edu", transfer_to_first}, {"edu 2", transfer_too}});
