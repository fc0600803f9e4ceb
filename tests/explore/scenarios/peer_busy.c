/* SPDX-License-Identifier: MIT */
/*
 * F-1, mark against last put: what tests/explore/peer/busy.pml is a model of.
 *
 * A device, or two, or a device and a page-table entry hold a page. They let go while the file
 * frees the block, and somebody who waits for space gets it, holds it, and frees it in turn. The
 * allocator is one bit here, under its file layer's lock; all that decides about the page is the
 * kernel's own.
 */
#include "dax/device/internal.h"
#include "dax/file/internal.h"
#include "tests/explore/explore.h"
#include "tests/kernel/lib/fixture.h"

static struct fixture fx;
static struct dax_fs *fs;
static struct dax_device *d;
static struct page *page;
static int64_t pgmap_refs; /* while nobody holds the page */
static bool block_is_free; /* fs->lock */

static uint64_t refs(void)
{
	return page_refs(page);
}
static uint64_t maps(void)
{
	return page_maps(page);
}
static uint64_t is_busy(void)
{
	return page_is_busy(page);
}
static uint64_t busy_blocks(void)
{
	return d->busy;
}

/* A page of a file that has let it go: its record is there, and at rest. */
static int setup(void)
{
	int err = fixture_start(&fx, &lifetime_busy_extent);
	uint64_t va;

	if (err)
		return refuse(err, "mounting the scratch device: %s", fx.why);
	fs = fx.fs;
	d = dax_device_of(fs->region);
	va = fx_map(&fx, "f", 1, 'a');
	page = va ? (*at(va) = 'b', fx_va_to_page(va)) : NULL;
	if (!page || dax_truncate(fx.inode[0], 0)) {
		fixture_end(&fx);
		return refuse(-EIO, "no page of a file");
	}
	pgmap_refs = percpu_ref_sum(&page->pgmap->ref);
	x_watch("page.refs", refs);
	x_watch("page.maps", maps);
	x_watch("page.busy", is_busy);
	x_watch("busy blocks", busy_blocks);
	return 0;
}

static void teardown(void)
{
	fixture_end(&fx);
}

static void held_once(void)
{
	block_is_free = false;
	page_get_first(page, 1);
}
static void held_twice(void)
{
	block_is_free = false;
	page_get_first(page, 2);
}
static void held_and_mapped(void)
{
	held_once();
	page_map_get(page);
}

static void put(void)
{
	page_put(page, 1);
}

static void unmap(void)
{
	page_map_put(page);
}

static void free_block(void)
{
	mutex_lock(&fs->lock);
	fs->lifetime->freed(fs, page_to_pfn(page), 1);
	block_is_free = true;
	mutex_unlock(&fs->lock);
}

static uint64_t released(void)
{
	return __atomic_load_n(&d->released, __ATOMIC_ACQUIRE);
}

enum taken { TAKEN, BUSY, NOT_FREE };

static enum taken take_block(void)
{
	enum taken got = NOT_FREE;

	mutex_lock(&fs->lock);
	if (block_is_free) {
		got = fs->lifetime->idle_run(fs, page_to_pfn(page), 1) ? TAKEN : BUSY;
		if (got == TAKEN) {
			X_EXPECT("I1", fs->lifetime->may_take(page_to_pfn(page), 1),
				 "the block is handed out, and its page has %u references and %u "
				 "mappings",
				 page_refs(page), page_maps(page));
			block_is_free = false;
		}
	}
	mutex_unlock(&fs->lock);
	return got;
}

/* dax_fallocate_wait(), and what the file that gets the block does with it. */
static void second_life(void)
{
	for (;;) {
		uint64_t before = released();
		enum taken got = take_block();

		x_observe(got);
		if (got == NOT_FREE)
			return;
		if (got == TAKEN)
			break;
		wait_event(&d->busy, released() != before, "a busy block to be released",
			   "the last put");
	}
	X_EXPECT("I1", page_get_first(page, 1), "the block's new owner finds its page busy");
	free_block();
	page_put(page, 1);
}

/* After every event. */
static void counted(void)
{
	X_EXPECT("I1", (int64_t)d->busy >= 0,
		 "a block was released that was not busy, or twice: its page has %u references",
		 page_refs(page));
}

static void at_rest(void)
{
	int64_t sum = percpu_ref_sum(&page->pgmap->ref);

	X_EXPECT("I5", page_state(page) == 0, "nobody holds the page, and its word is 0x%lx",
		 page_state(page));
	X_EXPECT("I2", sum == pgmap_refs, "the device has %ld references, and had %ld", (long)sum,
		 (long)pgmap_refs);
	X_EXPECT("I5", d->busy == 0, "%ld blocks are counted as busy", (long)d->busy);
}

EXPLORE_SCENARIO(peer_busy, "peer.busy", "a freed block is released once, by its last holder",
		 .thread = {{"put", put}, {"truncate", free_block}, {"second", second_life}},
		 .setup = setup, .teardown = teardown, .start = held_once, .step = counted,
		 .end = at_rest);
EXPLORE_SCENARIO(
	peer_busy_two, "peer.busy-two",
	"a freed block is released once, by the last of two holders",
	.thread = {{"put", put}, {"put 2", put}, {"truncate", free_block}, {"second", second_life}},
	.setup = setup, .teardown = teardown, .start = held_twice, .step = counted, .end = at_rest);
EXPLORE_SCENARIO(peer_busy_mapped, "peer.busy-mapped",
		 "a freed block is released once, by its last put or its last unmapping",
		 .thread = {{"put", put},
			    {"unmap", unmap},
			    {"truncate", free_block},
			    {"second", second_life}},
		 .setup = setup, .teardown = teardown, .start = held_and_mapped, .step = counted,
		 .end = at_rest);
