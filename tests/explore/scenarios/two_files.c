/* SPDX-License-Identifier: MIT */
/*
 * Two files whose blocks change places while somebody uses one of them.
 *
 * F's page says F, G's says G. Behind the exchange it is the other way round, for every reader; and
 * a page that was held when it happened did not change its file.
 */
#include "tests/explore/scenarios/files.h"

#define OF_F 0x4646464646464646ull
#define OF_G 0x4747474747474747ull

static int both_have_one(void)
{
	return files_setup(1, FILES_TOUCHED | FILES_G_HAS_ONE);
}

static uint64_t done; /* the exchange is; zero: not yet, or refused */

static void exchange(void)
{
	if (!files_exchange())
		__atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
}

static void load_twice(void)
{
	uint64_t v = 0, over;

	x_observe(x_try_load(files.va, &v));
	over = __atomic_load_n(&done, __ATOMIC_SEQ_CST);
	x_observe(x_try_load(files.va, &v));
	X_EXPECT("I6", v == OF_F || v == OF_G, "F's mapping shows 0x%lx", v);
	X_EXPECT("I6", !over || v == OF_G, "F's mapping shows F's old block behind the exchange");
}

/* Beside an unmapping: a load may find nothing. */
static void load_if_mapped(void)
{
	uint64_t v = 0;
	bool arrives = x_try_load(files.va, &v);

	x_observe(arrives);
	X_EXPECT("I6", !arrives || v == OF_F || v == OF_G, "F's mapping shows 0x%lx", v);
}

static void punch(void)
{
	x_observe((uint64_t)-dax_punch(files.f, 0, PAGE_SIZE));
}

static void check_held(struct page *page)
{
	X_EXPECT("I6", !files.fx.fs->lifetime->associates || page->mapping == &files.f->mapping,
		 "a page that is held through F's mapping is not F's");
	put_user_page(page);
}

/* A device's late write: in F, wherever that is by then. */
static void hold_and_write(void)
{
	struct page *page;

	if (get_user_pages_fast(files.va, 1, FOLL_GET | FOLL_WRITE, &page) == 1)
		check_held(page);
}

static void hold_slowly(void)
{
	struct page *page;

	if (get_user_pages(files.mm, files.va, 1, FOLL_GET | FOLL_WRITE, &page) == 1)
		check_held(page);
}

static void fork_and_look(void)
{
	struct mm *child = files_copy();
	uint64_t over = __atomic_load_n(&done, __ATOMIC_SEQ_CST), v = 0;

	X_EXPECT("I6", files_load_in(child, &v) && (v == OF_G || (v == OF_F && !over)),
		 "%s the exchange the copy of F's mapping shows 0x%lx", over ? "behind" : "beside",
		 v);
	mm_put(child);
}

#define TWO                                                                                        \
	.setup = both_have_one, .teardown = files_teardown, .mm = files_mm, .step = files_step,    \
	.interrupts = true, .lifetimes = true, .large = true
EXPLORE_SCENARIO(exchange_load, "file.exchange-load",
		 "behind an exchange F's mapping shows what was G's", TWO,
		 .thread = {{"exchange", exchange}, {"load", load_twice}});
EXPLORE_SCENARIO(exchange_gup, "file.exchange-gup", "a page that is held does not change its file",
		 TWO, .thread = {{"exchange", exchange}, {"gup", hold_and_write}});
EXPLORE_SCENARIO(exchange_put, "file.exchange-put",
		 "an exchange of a held page waits for the put, or is refused", TWO,
		 .start = files_hold, .thread = {{"exchange", exchange}, {"put", files_put}});
EXPLORE_SCENARIO(exchange_munmap, "file.exchange-munmap", "an unmapping beside an exchange", TWO,
		 .thread = {{"exchange", exchange}, {"munmap", files_munmap}});
EXPLORE_SCENARIO(exchange_exchange, "file.exchange-exchange",
		 "two exchanges of the same blocks: no deadlock, and all is as before", TWO,
		 .thread = {{"first", exchange}, {"second", exchange}});
EXPLORE_SCENARIO(exchange_slow, "gup.slow-exchange",
		 "a page that slow gup holds does not change its file", TWO,
		 .thread = {{"exchange", exchange}, {"gup", hold_slowly}});
EXPLORE_SCENARIO(exchange_truncate, "file.exchange-truncate",
		 "an exchange beside a truncate: each block has one owner", TWO,
		 .thread = {{"exchange", exchange}, {"truncate", files_cut}});
EXPLORE_SCENARIO(exchange_punch, "file.exchange-punch",
		 "an exchange beside a hole: each block has one owner", TWO,
		 .thread = {{"exchange", exchange}, {"punch", punch}});
EXPLORE_SCENARIO(exchange_protect, "file.exchange-mprotect",
		 "a right is taken from a page that changes its file", TWO,
		 .thread = {{"exchange", exchange}, {"mprotect", files_protect}});
EXPLORE_SCENARIO(exchange_fork, "file.exchange-fork",
		 "a copy of the space shows behind an exchange what was G's", TWO,
		 .thread = {{"exchange", exchange}, {"fork", fork_and_look}});
EXPLORE_SCENARIO(exchange_load_munmap, "file.exchange-load-munmap",
		 "a load, an exchange and an unmapping of one page", TWO,
		 .thread = {{"exchange", exchange},
			    {"load", load_if_mapped},
			    {"munmap", files_munmap}});
