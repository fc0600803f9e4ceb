/* SPDX-License-Identifier: MIT */
/*
 * An image that gives one block to two files. Their faults hold no lock in common, so the record
 * itself decides whose page it is; who lets it go while the other one takes it must not touch it
 * any more.
 */
#include "tests/explore/scenarios/files.h"

enum { AT_F = 3, AT_G = 7 }; /* page numbers in the files */

static struct lifetime refusing; /* attach() takes no page of F */
static struct page *page;	 /* the record of the block */

static int refuse_f(struct dax_inode *inode, uint64_t pgoff, struct page *p)
{
	(void)pgoff, (void)p;
	return inode == files.f ? -ENXIO : 0;
}

static int setup(void)
{
	int err = files_setup(1, FILES_TOUCHED | FILES_G_HAS_ONE);

	page = err ? NULL : files.page;
	refusing = lifetime_busy_extent;
	refusing.attach = refuse_f;
	return err;
}

static void start(void)
{
	files.fx.fs->lifetime = &refusing;
	page->mapping = NULL;
	page->index = 0;
}

static void start_with_f(void)
{
	page->mapping = &files.f->mapping;
	page->index = AT_F;
}

/* From here on it is an event when somebody looks at, or changes, whose page it is. */
static void watch(void)
{
	(void)__atomic_load_n(&page->mapping, __ATOMIC_RELAXED);
	(void)__atomic_load_n(&page->index, __ATOMIC_RELAXED);
}

static void f_is_refused(void)
{
	int err;

	watch();
	err = page_attach(page, files.f, AT_F);
	X_EXPECT("I6", err == -ENXIO || err == -EIO, "F has the page: %d", err);
}

static void f_lets_go(void)
{
	watch();
	spin_lock(&files.f->tree_lock);
	page_disassociate(page, 1, files.f, AT_F);
	spin_unlock(&files.f->tree_lock);
}

static void g_takes(void)
{
	int err;

	watch();
	err = page_attach(page, files.g, AT_G);
	x_observe((uint64_t)-err);
	X_EXPECT("I6", !err || err == -EIO, "G is refused the page: %d", err);
}

static void one_has_it(void)
{
	x_observe(page->mapping != NULL);
	X_EXPECT("I6", page->mapping != &files.f->mapping, "F has let the page go, and has it");
	X_EXPECT("I6", !page->mapping || page->index == AT_G,
		 "G has the page at %u, and the page says that it is page %lu of G", AT_G,
		 page->index);
}

EXPLORE_SCENARIO(one_block_refused, "entry.one-block-refused",
		 "a file that is refused a page leaves it as the other file has it", .setup = setup,
		 .teardown = files_teardown, .start = start, .end = one_has_it,
		 .thread = {{"refused", f_is_refused}, {"takes", g_takes}}, .large = true);
EXPLORE_SCENARIO(one_block_let_go, "entry.one-block-let-go",
		 "a file whose entry goes leaves the page as the other file has it", .setup = setup,
		 .teardown = files_teardown, .start = start_with_f, .end = one_has_it,
		 .thread = {{"lets go", f_lets_go}, {"takes", g_takes}}, .large = true);
