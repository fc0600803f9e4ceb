/* SPDX-License-Identifier: MIT */
/*
 * I5, between fast gup and a scan, by their order alone.
 *
 * On this machine an unmapping also waits until each CPU has answered an interrupt, and fast gup
 * has interrupts off; so a fast gup without its second look comes out right by luck. Nobody is
 * waited for here: the entry goes, and then the references are looked at. Either that look sees the
 * reference, or gup sees that the entry has gone, and keeps nothing.
 */
#include "tests/explore/scenarios/files.h"

static bool got, seen;

static int setup(void)
{
	return files_setup(1, FILES_TOUCHED);
}

static void start(void)
{
	got = seen = false;
}

static void take(struct page *(*one)(void))
{
	got = one() != NULL;
	x_observe(got);
}

static struct page *fast(void)
{
	struct page *page;

	return get_user_pages_fast(files.va, 1, FOLL_GET | FOLL_WRITE | FOLL_FAST_ONLY, &page) == 1
		       ? page
		       : NULL;
}

/* By the way for entries that neighbours do not resemble. */
static struct page *among_many(void)
{
	struct page *page[2];

	return get_user_pages_fast(files.va, 2, FOLL_GET | FOLL_WRITE | FOLL_FAST_ONLY, page) >= 1
		       ? page[0]
		       : NULL;
}

static void one(void)
{
	take(fast);
}

static void many(void)
{
	take(among_many);
}

/* A record that says folio is left to the way for single entries. */
static void start_folio(void)
{
	start();
	files.page->state |= PAGE_FOLIO;
}

/* The entry goes before the references are looked at, else neither sees the other. */
static void scan(void)
{
	uint64_t *pte = pte_walk(files.mm->root, files.va, 1, false, NULL);

	__atomic_store_n(pte, 0, __ATOMIC_RELEASE);
	smp_mb();
	seen = page_refs(files.page) > files.fx.fs->lifetime->rest;
	x_observe(seen);
}

static void end(void)
{
	X_EXPECT("I5", !got || seen,
		 "fast gup holds the page, and who took its entry away has seen no reference");
}

#define SCAN(ident, name, claim, fn, begin)                                                        \
	EXPLORE_SCENARIO(ident, name, claim, .setup = setup, .teardown = files_teardown,           \
			 .mm = files_mm, .start = begin, .end = end, .interrupts = true,           \
			 .lifetimes = true, .thread = {{#fn, fn}, {"scan", scan}})
SCAN(gup_scan_one, "gup.scan-one",
     "an entry goes: the scan behind it sees fast gup's reference, or fast gup sees that", one,
     start);
SCAN(gup_scan_many, "gup.scan-many",
     "the same for fast gup of several pages: it takes what it has looked at twice", many, start);
SCAN(gup_scan_single, "gup.scan-single",
     "the same for an entry that fast gup takes by itself: its record says folio", one,
     start_folio);
