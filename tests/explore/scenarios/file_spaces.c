/* SPDX-License-Identifier: MIT */
/*
 * One page of a file, and what else is done to the address space that shows it: an unmapping, a
 * loss of rights, a copy of the whole space. Each beside each, and beside what uses the page or
 * takes its block away.
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

#define PAIR(ident, name, claim, set_up, a, b, ...)                                                \
	EXPLORE_SCENARIO(ident, name, claim, FILES, .setup = set_up,                               \
			 .thread = {{#a, files_##a}, {#b, files_##b}}, ##__VA_ARGS__)

/* ---- uses beside uses ------------------------------------------------------------------------ */

PAIR(store_gup, "file.store-gup", "a first store and fast gup find one entry", untouched, store,
     gup_fast);
PAIR(slow_store, "gup.slow-store", "slow gup of a hole and a store into it find one block", hole,
     gup_slow, store);
PAIR(gup_slow_fast, "gup.slow-fast", "fast gup and slow gup of one page give it back", touched,
     gup_fast, gup_slow);
PAIR(fault_put, "file.fault-put", "a page is mapped again while its last holder lets go", touched,
     store, put, .start = files_hold_unmapped);
PAIR(slow_put, "gup.slow-put", "slow gup takes a page while its last holder lets go", touched,
     gup_slow, put, .start = files_hold_unmapped);
PAIR(put_put, "file.put-put", "of two that let a page go one is the last", touched, put, put_second,
     .start = files_hold_twice);
PAIR(slow_punch, "gup.slow-punch",
     "a page that slow gup holds is punched: its block goes to nobody", untouched, gup_slow, punch);
PAIR(truncate_truncate, "file.truncate-truncate", "two that cut a file free its block once",
     touched, cut, truncate);
PAIR(punch_punch, "file.punch-punch", "two that punch a page free its block once", touched, punch,
     punch);

/* ---- rights ---------------------------------------------------------------------------------- */

PAIR(gup_protect, "file.gup-mprotect", "fast gup for writing beside the loss of that right",
     touched, gup_fast, protect);
PAIR(slow_protect, "gup.slow-mprotect", "slow gup for writing beside the loss of that right",
     untouched, gup_slow, protect);
PAIR(put_protect, "file.put-mprotect", "a held page loses its right beside its last put", touched,
     put, protect, .start = files_hold);
PAIR(punch_protect, "file.punch-mprotect", "a hole beside the loss of a right", touched, punch,
     protect);
PAIR(munmap_protect, "file.munmap-mprotect", "an unmapping beside a loss of rights", touched,
     munmap, try_protect);
PAIR(protect_protect, "file.mprotect-mprotect", "a right that is taken twice is gone once", touched,
     protect, protect);

/* ---- unmapping ------------------------------------------------------------------------------- */

PAIR(punch_munmap, "file.punch-munmap",
     "a page that is unmapped while it is punched is mapped nowhere when its block goes", touched,
     punch, munmap);
PAIR(put_munmap, "file.put-munmap", "a page loses its mapping and its holder at once", touched, put,
     munmap, .start = files_hold);
EXPLORE_SCENARIO(munmap_munmap, "file.munmap-munmap", "of two unmappings one finds the page",
		 .setup = touched, .teardown = files_teardown, .mm = files_mm, .step = files_step,
		 .end = files_one_unmapped,
		 .thread = {{"try_munmap", files_try_munmap}, {"try_munmap", files_try_munmap}},
		 .interrupts = true, .lifetimes = true, .large = true);

/* ---- a copy of the address space ------------------------------------------------------------- */

PAIR(fork_store, "file.fork-store", "a first store beside a fork: both spaces show one page",
     untouched, fork, store);
PAIR(fork_gup, "file.fork-gup", "a page is taken while its space is copied", touched, fork,
     gup_fast);
PAIR(fork_slow, "gup.slow-fork", "slow gup of a space that is being copied", untouched, gup_slow,
     fork);
PAIR(fork_put, "file.fork-put", "a held page is let go while its space is copied", touched, fork,
     put, .start = files_hold);
PAIR(fork_truncate, "file.fork-truncate",
     "a truncate beside a fork leaves the page mapped in neither space", touched, fork, truncate);
PAIR(fork_punch, "file.fork-punch", "the same of a hole", touched, fork, punch);
PAIR(fork_munmap, "file.fork-munmap", "a copy has the mapping, or does not", touched, fork, munmap);
PAIR(fork_protect, "file.fork-mprotect", "a copy has the right, or does not", touched, fork,
     protect);
PAIR(fork_fork, "file.fork-fork", "two copies of one space at once, of which one shows the page",
     touched, fork, fork_only);

/* ---- three ----------------------------------------------------------------------------------- */

#define TRIPLE(ident, name, claim, set_up, a, b, c, ...)                                           \
	EXPLORE_SCENARIO(ident, name, claim, FILES, .setup = set_up,                               \
			 .thread = {{#a, files_##a}, {#b, files_##b}, {#c, files_##c}},            \
			 ##__VA_ARGS__)

TRIPLE(fork_store_truncate, "file.fork-store-truncate",
       "a store, a fork and a truncate of one page", touched, fork, store, truncate);
TRIPLE(put_munmap_punch, "file.put-munmap-punch", "a page loses holder, mapping and block at once",
       touched, put, munmap, punch, .start = files_hold);
TRIPLE(slow_munmap_truncate, "gup.slow-munmap-truncate",
       "slow gup, an unmapping and a truncate of one page", untouched, gup_slow, munmap, truncate);
TRIPLE(store_protect_truncate, "file.store-mprotect-truncate",
       "a store, a loss of rights and a truncate of one page", touched, store, protect, truncate);
TRIPLE(put_put_truncate, "file.put-put-truncate",
       "a page that two hold is cut off: the last of them releases its block", touched, put,
       put_second, truncate, .start = files_hold_twice);
