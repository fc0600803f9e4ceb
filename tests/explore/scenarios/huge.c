/* SPDX-License-Identifier: MIT */
/*
 * One entry of 2 MiB, whose head counts for 512 pages, while a part of it is used or goes.
 */
#include "tests/explore/scenarios/files.h"
#include "tests/kernel/lib/huge.h"

static struct fixture fx;
static struct mm *mm;
static struct dax_inode *f, *g; /* g: a file of one page, where a scenario has it; NULL: not */
static uint64_t va;
static struct page *head, *held;

/* `touched`: by 2 MiB, writable. Else the blocks are there and nothing is mapped. */
static int setup_by(bool touched)
{
	int err;

	fx = (struct fixture){0};
	mm = current_mm();
	err = fixture_start(&fx, x_lifetime() ?: LIFETIME_DEFAULT);
	if (err)
		return refuse(err, "%s", fx.why);
	f = sparse("F", N);
	va = f ? fx_map_as_is(&fx, f, N, true) : 0;
	err = va ? mm_fault(mm, va, true) : -ENOMEM;
	if (!err && level_at(va) != 2)
		err = refuse(-ENOSPC, "F is not mapped by 2 MiB");
	head = err ? NULL : va_to_head(va);
	if (!err && !touched)
		unmap_mapping_range(&f->mapping, 0, N);
	if (err)
		fixture_end(&fx);
	return err;
}

static int mapped(void)
{
	return setup_by(true);
}

static int not_mapped(void)
{
	return setup_by(false);
}

/* The blocks are there, and a mapping with MAP_DIRECT takes the place of the one that made them. */
static int mapped_direct(void)
{
	const struct dax_map rq = {
		.flags = MAP_SHARED_VALIDATE | MAP_DIRECT, .pages = N, .write = true};
	int err = mapped();

	if (err)
		return err;
	files = (struct files){0};
	mm_unmap(mm, va, N * PAGE_SIZE);
	fx.va[0] = 0;
	err = dax_map(mm, f, &rq, &fx.va[0]);
	va = fx.va[0];
	err = err ?: mm_fault(mm, va, true);
	if (!err && !fx.fs->lifetime->no_fast_gup)
		files.direct_pte = pte_walk(mm->root, va, 2, false, NULL);
	if (err)
		fixture_end(&fx);
	return err;
}

static void teardown(void)
{
	if (g)
		dax_put(g);
	g = NULL;
	fixture_end(&fx);
}

static int mapped_and_other(void)
{
	int err = mapped();

	g = err ? NULL : scratch_file("G", 1, 'G');
	return g || err ? err : refuse(-ENOSPC, "no second file");
}

static struct mm *of_setup(void)
{
	return mm;
}

static bool was_held; /* a head that is held as it is split goes on counting for its tails */

static void note_held(void)
{
	x_quiet_begin();
	__atomic_store_n(&was_held, true, __ATOMIC_RELAXED);
	x_quiet_end();
}

static void hold_tail(void)
{
	long n = get_user_pages_fast(PAGE(va, 7), 1, PIN, &held);

	X_EXPECT("set-up", n == 1 && held == head + 7, "page 7 is not to be had");
	note_held();
}

/* ---- threads -----------------------------------------------------------------------------------
 */

static void gup_tail(void)
{
	struct page *page;
	long n = get_user_pages_fast(PAGE(va, 7), 1, PIN, &page);

	x_observe(n == 1);
	if (n != 1)
		return;
	note_held();
	put_user_page(page);
}

static void slow_tail(void)
{
	struct page *page;
	long n = get_user_pages(mm, PAGE(va, 7), 1, PIN, &page);

	x_observe(n == 1);
	if (n != 1)
		return;
	note_held();
	put_user_page(page);
}

static void put_tail(void)
{
	put_user_page(held);
}

static void store_first(void)
{
	x_store(va, 1);
}

static void store_tail(void)
{
	x_observe(x_try_store(PAGE(va, 7), 1));
}

static void punch_first(void)
{
	int err = dax_punch(f, 0, PAGE_SIZE);

	x_observe((uint64_t)-err);
}

static void truncate_half(void)
{
	int err = dax_truncate(f, N / 2 * PAGE_SIZE);

	x_observe((uint64_t)-err);
}

static void unmap_all(void)
{
	X_EXPECT("I4", !mm_unmap(mm, va, N * PAGE_SIZE), "munmap fails");
}

static bool read_only; /* protect_all() is over; put back behind each execution */

static void released(void)
{
	const struct page *record = page_to_record(head);

	X_EXPECT("I2", page_refs(record) == fx.fs->lifetime->rest || fx.fs->lifetime->attach,
		 "the head has %u references left", page_refs(record));
}

/* What the head says of itself, what the file says, and what is mapped. */
static void end(void)
{
	bool whole = index_load(&f->index, 0) & ENTRY_PMD, shown = level_at(va) == 2;
	const struct page *record = page_to_record(head);

	released();
	X_EXPECT("I6", was_held || !(page_state(head) & PAGE_FOLIO) == !whole,
		 "the head counts for %s, and the file has %s entry of 2 MiB",
		 page_state(head) & PAGE_FOLIO ? "512 pages" : "itself", whole ? "an" : "no");
	X_EXPECT("I3", !shown || (whole && page_maps(record) == 1),
		 "2 MiB are mapped, the head has %u mappings, the file %s entry of 2 MiB",
		 page_maps(record), whole ? "an" : "no");
	X_EXPECT("I3", shown || !whole || !page_maps(record),
		 "the head of 2 MiB that nothing shows has %u mappings", page_maps(record));
	X_EXPECT("I3", !read_only || !shown || !(*pte_walk(mm->root, va, 2, false, NULL) & PTE_W),
		 "2 MiB may be written through a mapping that is read-only");
}

#define HUGE_ENTRY                                                                                 \
	.teardown = teardown, .mm = of_setup, .end = end, .interrupts = true, .lifetimes = true,   \
	.large = true
EXPLORE_SCENARIO(huge_gup_punch, "huge.gup-punch",
		 "a tail is taken while another page of the 2 MiB is punched", HUGE_ENTRY,
		 .setup = mapped, .thread = {{"gup", gup_tail}, {"punch", punch_first}});
EXPLORE_SCENARIO(huge_slow_punch, "huge.slow-punch",
		 "slow gup of a tail beside a hole in the 2 MiB", HUGE_ENTRY, .setup = mapped,
		 .thread = {{"gup", slow_tail}, {"punch", punch_first}});
EXPLORE_SCENARIO(huge_put_punch, "huge.put-punch",
		 "a held tail is put while another page is punched: the folio is released once",
		 HUGE_ENTRY, .setup = mapped, .start = hold_tail,
		 .thread = {{"put", put_tail}, {"punch", punch_first}});
EXPLORE_SCENARIO(huge_store_punch, "huge.store-punch",
		 "a store to a page that stays beside a hole in the 2 MiB", HUGE_ENTRY,
		 .setup = mapped, .thread = {{"store", store_tail}, {"punch", punch_first}});
EXPLORE_SCENARIO(huge_store_truncate, "huge.store-truncate",
		 "a store beside a truncate through the middle of the 2 MiB", HUGE_ENTRY,
		 .setup = mapped, .thread = {{"store", store_tail}, {"truncate", truncate_half}});
EXPLORE_SCENARIO(huge_store_store, "huge.store-store", "two first stores make one entry of 2 MiB",
		 HUGE_ENTRY, .setup = not_mapped,
		 .thread = {{"first", store_first}, {"second", store_tail}});
EXPLORE_SCENARIO(huge_gup_munmap, "huge.gup-munmap", "a tail is taken while its 2 MiB are unmapped",
		 HUGE_ENTRY, .setup = mapped, .thread = {{"gup", gup_tail}, {"munmap", unmap_all}});
EXPLORE_SCENARIO(huge_gup_gup, "huge.gup-gup", "two that take a tail give it back to the head",
		 HUGE_ENTRY, .setup = mapped,
		 .thread = {{"first", gup_tail}, {"second", gup_tail}});

/* ---- two that split, and what else is done to the address space --------------------------------
 */

static void punch_second(void)
{
	int err = dax_punch(f, PAGE_SIZE, PAGE_SIZE);

	x_observe((uint64_t)-err);
}

static void protect_all(void)
{
	X_EXPECT("I4", !mm_protect(mm, va, N * PAGE_SIZE, VM_READ), "mprotect fails");
	__atomic_store_n(&read_only, true, __ATOMIC_RELAXED);
}

static void fork_all(void)
{
	struct mm *child = mm_fork(mm, "child");

	X_EXPECT("I4", child, "no memory for a copy of the address space");
	mm_put(child);
}

static void exchange_first(void)
{
	int err = dax_exchange(f, 0, g, 0, PAGE_SIZE);

	x_observe((uint64_t)-err);
	X_EXPECT("I4", !err || err == -EBUSY || err == -EAGAIN, "exchange: error %d", err);
}

static void completed(void *unused)
{
	(void)unused;
	put_user_page(held);
}

static void complete(void)
{
	x_interrupt(0, completed, NULL);
}

#define SPLIT(ident, name, claim, set_up, who, fn, ...)                                            \
	EXPLORE_SCENARIO(ident, name, claim, HUGE_ENTRY, .setup = set_up,                          \
			 .thread = {{who, fn}, {"punch", punch_first}}, ##__VA_ARGS__)
SPLIT(huge_two_punches, "huge.punch-punch", "two holes in one entry of 2 MiB split it once", mapped,
      "first", punch_second);
SPLIT(huge_punch_truncate, "huge.punch-truncate",
      "a hole and a cut through one entry of 2 MiB split it once", mapped, "truncate",
      truncate_half);
SPLIT(huge_punch_munmap, "huge.punch-munmap", "an unmapping of 2 MiB in which a hole is punched",
      mapped, "munmap", unmap_all);
SPLIT(huge_punch_protect, "huge.punch-mprotect",
      "a loss of rights of 2 MiB in which a hole is punched", mapped, "mprotect", protect_all);
SPLIT(huge_punch_fork, "huge.punch-fork", "a copy of a space in whose 2 MiB a hole is punched",
      mapped, "fork", fork_all);
SPLIT(huge_punch_exchange, "huge.punch-exchange",
      "one page of 2 MiB changes its file, another one is punched: both split it once",
      mapped_and_other, "exchange", exchange_first);
static void break_first(void)
{
	punch_first();
	__atomic_store_n(&files.broken, true, __ATOMIC_RELEASE);
}

EXPLORE_SCENARIO(huge_store_break, "huge.store-break",
		 "a store beside a hole that first breaks the lease of the mapping (L-3)",
		 HUGE_ENTRY, .setup = mapped_direct,
		 .thread = {
			 {"store", store_tail}, {"punch", break_first}, {"revoke", files_revoke}});
EXPLORE_SCENARIO(huge_dma_punch, "huge.dma-punch",
		 "a completion gives a tail back while another page is punched", HUGE_ENTRY,
		 .setup = mapped, .start = hold_tail, .thread = {{"punch", punch_first}},
		 .device = {{"edu", complete}});
EXPLORE_SCENARIO(huge_gup_put_punch, "huge.gup-put-punch",
		 "a tail is taken and another reference put while a page of the 2 MiB is punched",
		 HUGE_ENTRY, .setup = mapped, .start = hold_tail,
		 .thread = {{"gup", gup_tail}, {"put", put_tail}, {"punch", punch_first}});

/* The file has no name, and nobody maps it: its close is the end of it. */
static int nameless(void)
{
	int err = mapped();
	long n;

	if (err)
		return err;
	n = get_user_pages_fast(PAGE(va, 7), 1, PIN, &held);
	fx_unmap(&fx, va);
	fx.inode[0] = NULL; /* closed by a thread, or by end_nameless() */
	err = n == 1 ? dax_unlink(SCRATCH_PATH "/F") : -EFAULT;
	return err;
}

static void end_nameless(void)
{
	put_user_page(held);
	dax_put(f);
	fixture_end(&fx);
}

static void close_f(void)
{
	dax_put(f);
}

EXPLORE_SCENARIO(huge_evict_put, "huge.evict-put",
		 "the last close of a file whose tail is held: the folio waits for the put",
		 .setup = nameless, .teardown = end_nameless, .mm = of_setup,
		 .thread = {{"close", close_f}, {"put", put_tail}}, .end = released,
		 .interrupts = true, .lifetimes = true, .large = true);

/* ---- an empty table that gives way -------------------------------------------------------------
 */

/* A table of single pages is left where 2 MiB are to be mapped. */
static void empty_table(void)
{
	X_EXPECT("set-up", pte_walk(mm->root, va, 1, true, NULL), "no memory for a table");
}

static void gup_fast_only(void)
{
	struct page *page;
	long n = get_user_pages_fast(PAGE(va, 7), 1, PIN | FOLL_FAST_ONLY, &page);

	x_observe(n == 1);
	if (n != 1)
		return;
	note_held();
	put_user_page(page);
}

EXPLORE_SCENARIO(huge_table_walk, "huge.table-walk",
		 "a table that gives way to 2 MiB is freed when no walker is in it", HUGE_ENTRY,
		 .setup = not_mapped, .start = empty_table,
		 .thread = {{"store", store_first}, {"gup", gup_fast_only}});
