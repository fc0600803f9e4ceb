/* SPDX-License-Identifier: MIT */
/*
 * One page of a file, and every two things that can be done to it at once.
 *
 * On the one side what uses the page: a store, a load, get_user_pages, a device's late write. On
 * the other side what takes its block away. Whoever comes first, the block has one owner, the page
 * tables show what the index says, and nobody waits for ever.
 */
#include "tests/explore/scenarios/files.h"

static int touched(void)
{
	return files_setup(1, FILES_TOUCHED);
}

static int untouched(void)
{
	return files_setup(1, 0);
}

static int hole(void)
{
	return files_setup(1, FILES_HOLE);
}

static int two_pages(void)
{
	return files_setup(2, FILES_TOUCHED);
}

#define PAIR(ident, name, claim, set_up, a, b, ...)                                                \
	EXPLORE_SCENARIO(ident, name, claim, FILES, .setup = set_up,                               \
			 .thread = {{#a, files_##a}, {#b, files_##b}}, ##__VA_ARGS__)

/* ---- what uses it, against truncate and punch ----------------------------------------------- */

PAIR(store_truncate, "file.store-truncate",
     "a store to a page that is cut off reaches the file before, or faults: never another file",
     touched, store, truncate);
PAIR(load_truncate, "file.load-truncate", "a load never shows another file's bytes", touched, load,
     truncate);
PAIR(fault_truncate, "file.fault-truncate", "a first store finds the file as it was, or is refused",
     untouched, store, truncate);
PAIR(gup_truncate, "file.gup-truncate",
     "a page that fast gup holds goes to no other file before it is put", touched, gup_fast,
     truncate);
PAIR(slow_truncate, "gup.slow-truncate",
     "a page that slow gup holds goes to no other file before it is put", untouched, gup_slow,
     truncate);
PAIR(put_truncate, "file.put-truncate",
     "a held page is cut off: its block waits, or truncate does, for the put", touched, put,
     truncate, .start = files_hold);
PAIR(store_punch, "file.store-punch", "a store beside a punched hole reaches no other file",
     touched, store, punch);
PAIR(gup_punch, "file.gup-punch", "a page that is punched while it is taken goes to nobody",
     touched, gup_fast, punch);
PAIR(put_punch, "file.put-punch", "a held page is punched: its block waits for the put, or punch",
     touched, put, punch, .start = files_hold);

/* ---- address space against address space, and against the file ------------------------------- */

PAIR(truncate_munmap, "file.truncate-munmap",
     "a page that is unmapped while its file is cut is mapped nowhere when its block goes", touched,
     truncate, munmap);
PAIR(truncate_protect, "file.truncate-mprotect",
     "taking the right to write from a page that is cut off loses nothing", touched, truncate,
     protect);
PAIR(store_munmap, "file.store-munmap", "a store beside an unmapping lands, or faults", touched,
     store, munmap);
PAIR(store_protect, "file.store-mprotect", "a store beside mprotect lands before it, or faults",
     touched, store, protect);
PAIR(gup_munmap, "file.gup-munmap", "a page that is unmapped while it is taken is held, or not",
     touched, gup_fast, munmap);
PAIR(fault_munmap, "file.fault-munmap", "a fault beside munmap leaves no mapping behind", untouched,
     store, munmap);
PAIR(slow_munmap, "gup.slow-munmap", "slow gup beside munmap holds the page, or is refused",
     untouched, gup_slow, munmap);

PAIR(cut_take, "file.cut-take",
     "who takes a block finds it unmapped, while its old file is being cut", touched, cut, take);

/* ---- the same thing twice -------------------------------------------------------------------- */

PAIR(store_store, "file.store-store", "two first stores into a hole find one block", hole, store,
     store);
PAIR(load_store, "file.load-store", "a first load beside a store into a hole: zeroes, or the store",
     hole, load, store);
PAIR(gup_gup, "file.gup-gup", "two that take a page give it back", touched, gup_fast, gup_fast);
PAIR(slow_slow, "gup.slow-slow", "two that fault a page in by gup take one block", hole, gup_slow,
     gup_slow);
PAIR(gup_put, "file.gup-put", "a page is taken while its last holder lets go", touched, gup_fast,
     put, .start = files_hold);
PAIR(truncate_punch, "file.truncate-punch", "two that free the same block free it once", touched,
     truncate, punch);
PAIR(truncate_fsync, "file.truncate-fsync", "fsync of a page that is cut off", touched, truncate,
     fsync);
PAIR(store_fsync, "file.store-fsync", "a store beside fsync leaves its mark, or was written back",
     touched, store, fsync);
PAIR(fsync_fsync, "file.fsync-fsync", "two fsyncs of one dirty page", touched, fsync, fsync);

/* ---- three ----------------------------------------------------------------------------------- */

#define TRIPLE(ident, name, claim, set_up, a, b, c, ...)                                           \
	EXPLORE_SCENARIO(ident, name, claim, FILES, .setup = set_up,                               \
			 .thread = {{#a, files_##a}, {#b, files_##b}, {#c, files_##c}},            \
			 ##__VA_ARGS__)

/* Entries that a truncate took away do not come back, so what is mapped then has none (I3). */
static void files_look(void)
{
	bool gone = !__atomic_load_n(&files.f->index.root, __ATOMIC_ACQUIRE);
	uint64_t v;
	bool arrives = x_try_load(files.va, &v);

	x_observe(arrives);
	X_EXPECT("I3", !gone || !arrives, "F's page is mapped, and F has no entry any more");
}

TRIPLE(truncate_munmap_look, "file.truncate-munmap-load",
       "a load beside a truncate and an unmapping finds no page without an entry", touched, cut,
       munmap, look);
TRIPLE(store_munmap_truncate, "file.store-munmap-truncate",
       "a store, an unmapping and a truncate of one page (F-15)", touched, store, munmap, truncate);
TRIPLE(gup_put_truncate, "file.gup-put-truncate",
       "a page is taken while its last holder lets go and its file is cut", touched, gup_fast, put,
       truncate, .start = files_hold);
TRIPLE(gup_gup_punch, "file.gup-gup-punch", "two that hold a page while it is punched", touched,
       gup_fast, gup_slow, punch);
TRIPLE(store_gup_truncate, "file.store-gup-truncate",
       "a store, fast gup and a truncate of one page", touched, store, gup_fast, truncate);

/* ---- a neighbour ------------------------------------------------------------------------------
 */

static void store_second(void)
{
	x_observe(x_try_store(files.va + PAGE_SIZE, 1));
}

EXPLORE_SCENARIO(punch_neighbour, "file.punch-neighbour",
		 "a store to the second page does not mind that the first one is punched", FILES,
		 .setup = two_pages, .thread = {{"store", store_second}, {"punch", files_punch}});
