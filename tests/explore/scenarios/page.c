/* SPDX-License-Identifier: MIT */
/*
 * One page of a file that somebody holds: its last put beside what takes it from its file.
 */
#include "dax/layer/internal.h"
#include "tests/explore/explore.h"
#include "tests/kernel/lib/fixture.h"

static struct fixture fx;
static struct page *page;
static struct mm *mm;
static int truncated;

static struct mm *space(void)
{
	return mm;
}

static uint64_t refs(void)
{
	return page_refs(page);
}

static uint64_t maps(void)
{
	return page_maps(page);
}

static int setup(void)
{
	uint64_t va;

	if (fixture_start(&fx, x_lifetime()))
		return refuse(-ENODEV, "%s", fx.why);
	mm = current_mm();
	va = fx_map(&fx, "f", 1, 'a');
	if (!va || get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE, &page) != 1) {
		fixture_end(&fx);
		return refuse(-ENOMEM, "no page to hold: %s", refusal());
	}
	x_watch("refs", refs);
	x_watch("maps", maps);
	return 0;
}

static void teardown(void)
{
	unpin_user_pages(&page, 1);
	fixture_end(&fx);
}

static void do_truncate(void)
{
	truncated = dax_truncate(fx.inode[0], 0);
	x_observe((uint64_t)truncated);
}

static void do_put(void)
{
	unpin_user_pages(&page, 1);
}

/* Nobody holds it, and no entry names it. */
static void end(void)
{
	X_EXPECT("I3", page_maps(page) == 0, "the page is mapped, and its file has let it go");
	X_EXPECT("I6", truncated || !page->mapping, "the page of a truncated file names the file");
	X_EXPECT("I1", !page_is_busy(page), "the page is busy, and nobody holds it");
}

EXPLORE_SCENARIO(
	put_truncate, "page.put-truncate",
	"a page is put while its file is truncated: nobody waits for ever, nothing is kept",
	.thread = {{"truncate", do_truncate}, {"put", do_put}}, .setup = setup,
	.teardown = teardown, .end = end, .mm = space, .lifetimes = true, .interrupts = true,
	.large = true);
