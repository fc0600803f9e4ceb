/* SPDX-License-Identifier: MIT */
/*
 * The caller of a design that refuses: it asks again, once a second, until it is not refused or a
 * signal ends it. With it the same play does for a design that sleeps and for one that refuses:
 * "sleeps until the put" becomes "asks until the put", and who never gets the blocks hangs, here as
 * there. Nothing but the caller's own clock wakes it, so a race that shows what a single call does
 * (G-2 to G-5) is played without.
 */
#include "tests/kernel/race/internal.h"

#define ASK_NS 1000000000ull

static bool held_back; /* zero: who has slept asks */

void race_hold_asks(bool hold)
{
	__atomic_store_n(&held_back, hold, __ATOMIC_RELEASE);
	if (!hold)
		wake_up(&held_back);
}

bool race_asks_again(const struct lifetime *lt, int *err)
{
	struct waiter w = {0};

	if (*err != -EAGAIN || !lt->refuses)
		return false;
	wait_prepare(&w, &w, "the time to ask again, after a refusal",
		     "its own clock, once a second");
	w.interruptible = true;
	if (!signal_pending())
		wait_sleep_until(&w, clock_ns() + ASK_NS);
	wait_finish(&w);
	wait_event_interruptible(&held_back, !__atomic_load_n(&held_back, __ATOMIC_ACQUIRE),
				 "the time to ask again, after a refusal", "the director");
	if (signal_pending())
		*err = refuse(-EINTR, "interrupted, and refused until then");
	return *err == -EAGAIN;
}
