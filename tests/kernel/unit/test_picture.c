/* SPDX-License-Identifier: MIT */
/* Self-tests: the picture of all page records (mm/picture/) says of each page what its record says.
 */
#include "tests/kernel/lib/fixture.h"

static struct picture *take(void)
{
	struct picture *p = malloc(sizeof(*p));

	if (p)
		picture_take(p);
	return p;
}

/* The letter of a pfn; 0: no row has it. */
static char cell_at(const struct picture *p, uint64_t pfn)
{
	for (unsigned i = 0; p && i < p->nr_rows; i++) {
		const struct picture_row *row = &p->row[i];

		if (pfn >= row->pfn && pfn < row->pfn + (uint64_t)row->nr * row->unit)
			return row->cell[(pfn - row->pfn) / row->unit];
	}
	return 0;
}

static const struct picture_page *page_at(const struct picture *p, uint64_t pfn)
{
	for (unsigned i = 0; p && i < p->nr_pages; i++)
		if (p->page[i].pfn == pfn)
			return &p->page[i];
	return NULL;
}

/* The letter of a page now. */
static char look(const struct page *page)
{
	struct picture *p = take();
	char c = cell_at(p, page_to_pfn(page));

	free(p);
	return c;
}

SELFTEST(picture_life, "picture.a-page-through-its-life",
	 "a page is drawn as mapped, held while somebody has a reference, busy when its file frees "
	 "it then, and at rest after the put")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct page *page;

	EXPECT_OR(out, va && (*at(va) = 'b'), "no mapping");
	EXPECT_OR(out, look(fx_va_to_page(va)) == CELL_MAPPED, "a mapped page is '%c'",
		  look(fx_va_to_page(va)));
	EXPECT_OR(out, get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE, &page) == 1, "no pin");
	EXPECT_OR(put, look(page) == CELL_HELD, "a pinned page is '%c'", look(page));
	EXPECT_OR(put, !dax_truncate(fx.inode[0], 0), "%s", refusal());
	EXPECT_OR(put, look(page) == CELL_BUSY, "a freed and pinned page is '%c'", look(page));
put:
	unpin_user_pages(&page, 1);
	EXPECT_OR(out, look(page) == CELL_REST, "a page that was put is '%c'", look(page));
out:
	fixture_end(&fx);
}

SELFTEST(picture_rest_one, "picture.rest-is-the-designs",
	 "where pages rest at one reference, such a page is at rest, and one of two references is "
	 "held")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct page *page;

	EXPECT_OR(out, va && get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE, &page) == 1,
		  "no pin");
	EXPECT_OR(put, look(page) == CELL_HELD, "a pinned page is '%c'", look(page));
	fx_unmap(&fx, va);
put:
	unpin_user_pages(&page, 1);
	EXPECT_OR(out, page_refs(page) == 1 && look(page) == CELL_REST,
		  "a page of %u reference(s) is '%c'", page_refs(page), look(page));
out:
	fixture_end(&fx);
}

SELFTEST(picture_words, "picture.who-holds-what",
	 "a held page is described: its file, its page of it, and who holds it; mapped pages leave "
	 "it room")
{
	const unsigned many = 2 * PICTURE_PAGES;

	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t va = fx_map(&fx, "f", many, 'a');
	struct holder h = {.what = "the test"};
	const struct picture_page *seen;
	struct picture *p = NULL;
	struct page *page;

	EXPECT_OR(out, va, "no mapping");
	for (unsigned i = 0; i < many; i++)
		*at(va + i * PAGE_SIZE) = 'b';
	EXPECT_OR(out,
		  get_user_pages_fast(va + (many - 1) * PAGE_SIZE, 1, FOLL_PIN | FOLL_WRITE,
				      &page) == 1,
		  "no pin");
	h.pages = &page;
	h.nr = 1;
	holder_add(&h);
	p = take();
	seen = page_at(p, page_to_pfn(page));
	EXPECT_OR(put, seen, "the last page, the held one, is not described");
	EXPECT_OR(put, seen->index == many - 1 && !strcmp(seen->file, SCRATCH_PATH "/f"),
		  "page %lu of '%s'", seen->index, seen->file);
	EXPECT_OR(put, strstr(seen->holders, "the test"), "held by '%s'", seen->holders);
	EXPECT_OR(put, p->nr_pages + p->pages_left == many && p->mapped == many - 1 && p->held == 1,
		  "%u and %u pages, %lu mapped, %lu held", p->nr_pages, p->pages_left, p->mapped,
		  p->held);
put:
	free(p);
	holder_remove(&h);
	unpin_user_pages(&page, 1);
out:
	fixture_end(&fx);
}

SELFTEST(picture_rows, "picture.rows-in-use-come-first",
	 "of more rows than there is room for, none in use is left out for one at rest")
{
	const unsigned pages = (PICTURE_ROWS + 4) * PICTURE_CELLS;
	struct fixture fx = {0};
	int err;

	if (!scratch_region(&fx.why))
		SKIP("%s", fx.why);
	err = scratch_mount(SCRATCH_LARGE, &lifetime_busy_extent, &fx.fs, &fx.why);
	if (err == -ENOSPC)
		SKIP("%s", fx.why);
	EXPECT(!err, "%s", fx.why);
	uint64_t va = fx_map(&fx, "f", pages, 'a'), last = va + (pages - 1) * PAGE_SIZE;
	struct page *page = NULL;
	struct picture *p = NULL;

	EXPECT_OR(out, va, "no mapping");
	for (unsigned i = 0; i < pages; i += PICTURE_CELLS)
		*at(va + i * PAGE_SIZE) = 'b';
	EXPECT_OR(out, get_user_pages_fast(last, 1, FOLL_PIN | FOLL_WRITE, &page) == 1, "no pin");
	fx_unmap(&fx, va);
	p = take();
	EXPECT_OR(put, p && p->rows_left > 0, "there was room for %u rows", p ? p->nr_rows : 0);
	EXPECT_OR(put, cell_at(p, page_to_pfn(page)) == CELL_HELD, "the held page is '%c'",
		  cell_at(p, page_to_pfn(page)));
put:
	free(p);
	unpin_user_pages(&page, 1);
out:
	fixture_end(&fx);
}
