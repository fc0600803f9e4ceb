/* SPDX-License-Identifier: MIT */
/*
 * A mapping with MAP_DIRECT whose lease is broken, by who cuts the file, while it is used.
 *
 * The holder does nothing about it: the break time ends, whenever it does (a timer), and the
 * mapping is revoked. From then on no access arrives through it, and no page of it is held that the
 * cut does not know of.
 */
#include "tests/explore/scenarios/files.h"

static int direct(void)
{
	return files_setup(1, FILES_TOUCHED | FILES_DIRECT);
}

static int direct_untouched(void)
{
	return files_setup(1, FILES_DIRECT);
}

static int direct_and_other(void)
{
	return files_setup(1, FILES_TOUCHED | FILES_DIRECT | FILES_G_HAS_ONE);
}

static bool exchanged;

static void not_exchanged(void)
{
	exchanged = false;
}

static void files_break_exchange(void)
{
	exchanged = !files_exchange();
	__atomic_store_n(&files.broken, true, __ATOMIC_RELEASE);
}

/* Where the cut comes first there is nothing to exchange: G was written in its own block, and F's
 * is nobody's. */
static void end_exchange(void)
{
	files.given &= exchanged;
	files_end();
}

#define DIRECT(ident, name, claim, set_up, a, ...)                                                 \
	EXPLORE_SCENARIO(                                                                          \
		ident, name, claim, FILES, .setup = set_up,                                        \
		.thread = {{#a, files_##a}, {"break", files_break}, {"revoke", files_revoke}},     \
		##__VA_ARGS__)

DIRECT(direct_store, "direct.store-break",
       "a fault under way maps its page before the revocation, or is refused (L-3)",
       direct_untouched, store);
DIRECT(direct_gup, "direct.gup-break", "a page that is taken while the lease is broken is known",
       direct, gup_fast);
DIRECT(direct_slow, "direct.slow-break", "the same by slow gup", direct_untouched, gup_slow);
DIRECT(direct_put, "direct.put-break", "a held page is let go while the lease is broken", direct,
       put, .start = files_hold);
DIRECT(direct_munmap, "direct.munmap-break",
       "the last close of the mapping beside its revocation frees it once (L-1)", direct, munmap);
DIRECT(direct_protect, "direct.mprotect-break", "a loss of rights beside the revocation", direct,
       protect);
DIRECT(direct_fork, "direct.fork-break", "a copy of the mapping is revoked with it (L-4)", direct,
       fork);
DIRECT(direct_punch, "direct.punch-break", "two break one lease, and both go on", direct,
       break_punch);
EXPLORE_SCENARIO(direct_exchange, "direct.exchange-break", "an exchange breaks the lease as well",
		 .setup = direct_and_other, .teardown = files_teardown, .mm = files_mm,
		 .start = not_exchanged, .step = files_step, .end = end_exchange,
		 .thread = {{"exchange", files_break_exchange},
			    {"break", files_break},
			    {"revoke", files_revoke}},
		 .interrupts = true, .lifetimes = true, .large = true);
EXPLORE_SCENARIO(direct_store_munmap, "direct.store-munmap-break",
		 "a store, the last close and the revocation of one mapping", FILES,
		 .setup = direct,
		 .thread = {{"store", files_store},
			    {"munmap", files_munmap},
			    {"break", files_break},
			    {"revoke", files_revoke}});
