/* SPDX-License-Identifier: MIT */
/*
 * A table of single pages in which fast gup looks at an entry, and that 2 MiB take the place of.
 *
 * The file has a block for one page of its 2 MiB, so that page is mapped by an entry of its own.
 * When it is punched nothing is left of the 2 MiB but a hole: the next store makes blocks for all
 * of it, and one entry shows them, where the table was. Fast gup looks at its entry twice; the
 * table is freed when every CPU has answered a flush, and one with interrupts off does not.
 */
#include "tests/explore/explore.h"
#include "tests/kernel/lib/huge.h"

#define TAIL 7u

static struct fixture fx;
static struct mm *mm;
static struct dax_inode *f;
static uint64_t va;
static struct page *tail;

static int one_page_mapped(void)
{
	int err;

	fx = (struct fixture){0};
	mm = current_mm();
	err = fixture_start(&fx, x_lifetime() ?: LIFETIME_DEFAULT);
	if (err)
		return refuse(err, "%s", fx.why);
	f = sparse("F", N);
	err = f && dax_write(f, TAIL * PAGE_SIZE, "a", 1) == 1 ? 0 : -ENOSPC;
	va = err ? 0 : fx_map_as_is(&fx, f, N, true);
	err = va ? mm_fault(mm, PAGE(va, TAIL), true) : -ENOMEM;
	if (!err && level_at(PAGE(va, TAIL)) != 1)
		err = refuse(-ENOSPC, "page %u of F is not mapped by itself", TAIL);
	tail = err ? NULL : fx_va_to_page(PAGE(va, TAIL));
	if (err)
		fixture_end(&fx);
	return err;
}

static void teardown(void)
{
	fixture_end(&fx);
}

static struct mm *of_setup(void)
{
	return mm;
}

static void gup(void)
{
	struct page *page;
	long n = get_user_pages_fast(PAGE(va, TAIL), 1, PIN | FOLL_FAST_ONLY, &page);

	x_observe(n == 1);
	if (n == 1)
		put_user_page(page);
}

static void punch_and_store(void)
{
	int err = dax_punch(f, TAIL * PAGE_SIZE, PAGE_SIZE);

	X_EXPECT("I4", !err, "punch: error %d", err);
	x_store(va, 1);
}

static void end(void)
{
	X_EXPECT("I2", page_refs(tail) == fx.fs->lifetime->rest, "the page has %u references left",
		 page_refs(tail));
	X_EXPECT("I3", level_at(va) == 2, "the hole was stored to, and is shown at level %u",
		 level_at(va));
}

EXPLORE_SCENARIO(huge_gup_table, "huge.gup-table",
		 "fast gup looks twice at an entry before its table can give way to 2 MiB",
		 .setup = one_page_mapped, .teardown = teardown, .mm = of_setup, .end = end,
		 .thread = {{"gup", gup}, {"store", punch_and_store}}, .interrupts = true,
		 .large = true);
